"""``inkspeak weights list`` and ``verify``: every known weight file, and whether it is here and intact."""

from __future__ import annotations

import dataclasses
from typing import Any

from experiments.tables import as_json, readable_size, text_table
from lightning_modules.weights.registry import State, WeightFile, load_manifest, state_of


def list_weights(*, json: bool = False) -> int:
    """List every known weight file.

    For each: what it is for, the file, its size and sha256, its licence and source, whether it is on this machine, and
    whether a plain animation uses it.

    Args:
        json: print JSON with every field instead of a table

    Returns:
        0.

    Example:
        inkspeak weights list
        inkspeak weights list --json
    """
    rows = [(weight, state_of(weight)) for weight in load_manifest()]
    print(as_json([weight_facts(*row) for row in rows]) if json else weights_table(rows))
    return 0


def verify_weights(*, json: bool = False) -> int:
    """Read every weight file that is here and compare its sha256.

    Args:
        json: print JSON with every field instead of a table

    Returns:
        0 when all that is needed by default is intact and nothing was changed, else 2.

    Example:
        inkspeak weights verify
    """
    rows = [(weight, state_of(weight, verify=True)) for weight in load_manifest()]
    if json:
        print(as_json([weight_facts(*row) for row in rows]))
    else:
        here = [row for row in rows if row[1] != "own copy"]
        print(text_table([(state, weight.name, weight.file) for weight, state in here]))
    broken = any(state == "changed" or (weight.default and state != "intact") for weight, state in rows)
    return 2 if broken else 0


_PLACES = {"package": "in the package {}: ", "torch-hub": "in torch's download folder: ", "own-copy": ""}
SUBCOMMANDS = {"list": list_weights, "verify": verify_weights}


def weight_facts(weight: WeightFile, state: State) -> dict[str, Any]:
    """A row of the manifest together with its state on this machine, as plain values."""
    present = None if state == "own copy" else state != "absent"
    return dataclasses.asdict(weight) | {"present": present, "state": state}


def weights_table(rows: list[tuple[WeightFile, State]]) -> str:
    """The list as text: a block per weight, because hashes and sources need the width."""
    blocks = []
    for weight, state in rows:
        use = f"read by {weight.read_by}" if weight.read_by else "nothing reads it yet"
        default = ", used by default" if weight.default else ""
        facts = [
            ("role", weight.role),
            ("use", use + default),
            ("file", f"{_PLACES[weight.location].format(weight.package)}{weight.file}"),
            ("size", readable_size(weight.size, exact=weight.exact)),
            ("sha256", weight.sha256 or "not known"),
            ("licence", weight.licence),
            ("source", weight.source),
        ]
        blocks.append(f"{weight.name}  [{state}]\n" + text_table([(f"  {key}", value) for key, value in facts]))
    return "\n\n".join(blocks)
