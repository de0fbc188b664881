"""``inkspeak weights``: every known weight file, and whether it is intact; import and export."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.commands.weights_import import import_weights
from experiments.signature_parser import Option
from experiments.tables import as_json, readable_size, text_table
from lightning_modules.weights.registry import State, WeightFile, load_manifest, state_of
from lightning_modules.weights.set_rows import set_rows

if TYPE_CHECKING:
    from lightning_modules.export.generator_file import TrainedGenerator
    from lightning_modules.export.landmark_model_file import LandmarkModel
    from lightning_modules.export.network_file import StoredNetwork


def list_weights(*, json: bool = False) -> int:
    """List every known weight file.

    For each: what it is for, the file, its size and sha256, its licence and source, whether it is on this machine, and
    whether a plain animation uses it. The files of sets that were imported come last, as SET:ROLE.

    Args:
        json: print JSON with every field instead of a table

    Returns:
        0.

    Example:
        inkspeak weights list
        inkspeak weights list --json
    """
    rows = [(weight, state_of(weight)) for weight in load_manifest()] + set_rows()
    print(as_json([weight_facts(*row) for row in rows]) if json else weights_table(rows))
    return 0


def verify_weights(*, json: bool = False) -> int:
    """Read every weight file that is here and compare its sha256.

    Args:
        json: print JSON with every field instead of a table

    Returns:
        0 when all that is needed by default is intact, and nothing was changed or has gone from a set, else 2.

    Example:
        inkspeak weights verify
    """
    rows = [(weight, state_of(weight, verify=True)) for weight in load_manifest()] + set_rows(verify=True)
    if json:
        print(as_json([weight_facts(*row) for row in rows]))
    else:
        here = [row for row in rows if row[1] != "own copy"]
        print(text_table([(state, weight.name, weight.file) for weight, state in here]))
    broken = any(
        state == "changed" or ((weight.default or weight.location == "weight-set") and state != "intact")
        for weight, state in rows
    )
    return 2 if broken else 0


def export_weights(  # noqa: PLR0913 - every choice of the user is an argument
    checkpoint: Path,
    out: Path,
    *,
    raw: bool = False,
    licence: str = "not stated",
    source: str = "not stated",
    description: str = "not stated",
    mouth_x: float = 1.0,
    mouth_y: float = 1.0,
    contact: float = 0.0,
    pauses: float = 1.0,
    full_precision: bool = False,
    json: bool = False,
) -> int:
    """Take what was trained out of a checkpoint: a generator, a whole model of stage 1, or a supporting network.

    OUT is a safetensors file for animate: --weights OUT, or --driver-weights OUT. It holds the weights,
    the arguments that build the network, and how its inputs were made in training, so that the animation makes them
    the same way. Where the checkpoint has a moving average of the weights, that is what is taken.

    Args:
        checkpoint: a .ckpt that inkspeak fit wrote
        out: the file to write; one that is there is replaced
        raw: take the weights of the last step, not their moving average
        licence: under which the weights may be used; kept in the file
        source: where they come from, such as the data they were trained on; kept in the file
        description: a sentence or two on the training, but of a generator; kept in the file
        mouth_x: of a speech-to-landmark model, what its lips' width is multiplied by to look natural
        mouth_y: of a speech-to-landmark model, the same for the mouth's opening
        contact: of a speech-to-landmark model, openings below this become contacts of the lips, eye distances
        pauses: of a speech-to-landmark model, how much of its answer to pauses is taken off its motion, 0 to 1
        full_precision: keep a speech-to-landmark model or a supporting network in 32 bits instead of 16
        json: print JSON instead of a table

    Returns:
        0.

    Raises:
        WeightsError: the checkpoint is missing, damaged or another one.
        OutputError: OUT cannot be written.

    Example:
        inkspeak weights export runs/PortraitGAN/version_0/checkpoints/last.ckpt mine.safetensors --licence CC0-1.0
    """
    from lightning_modules.export.generator_checkpoint import export_generator
    from lightning_modules.export.landmark_checkpoint import export_landmark_model, is_landmark_checkpoint
    from lightning_modules.export.landmark_model_file import NaturalGains
    from lightning_modules.export.supporting_checkpoint import export_supporting_network, is_supporting_checkpoint
    from lightning_modules.weights.registry import sha256_of

    told: dict[str, Any] = {"averaged": not raw, "licence": licence, "source": source}
    if is_landmark_checkpoint(checkpoint):
        gains = NaturalGains(mouth_x, mouth_y, contact=contact, pauses=pauses)
        model = export_landmark_model(
            checkpoint, out, half=not full_precision, gains=gains, description=description, **told
        )
        averaged, described = model.training.averaged, landmark_model_facts(model)
    elif is_supporting_checkpoint(checkpoint):
        words = {"licence": licence, "source": source, "description": description}
        network = export_supporting_network(checkpoint, out, averaged=not raw, half=not full_precision, facts=words)
        averaged, described = bool(network.facts["averaged"]), supporting_network_facts(network)
    else:
        exported = export_generator(checkpoint, out, **told)
        averaged, described = exported.training.averaged, generator_facts(exported)
    facts = {"file": str(out), "size": out.stat().st_size, "sha256": sha256_of(out)} | described
    print(as_json(facts) if json else text_table([(key, str(value)) for key, value in facts.items()]))
    if not (raw or averaged):
        print("the checkpoint has no moving average: these are the weights of its last step")
    return 0


def landmark_model_facts(model: LandmarkModel) -> dict[str, Any]:
    """What an exported speech-to-landmark model is, as plain values in the order in which they are shown."""
    training = model.training
    parameters = {
        name: sum(parameter.numel() for parameter in branch.parameters()) for name, branch in model.branches().items()
    }
    return {
        "weights": "moving average" if training.averaged else "last step",
        "parameters": parameters,
        "feature": training.feature,
        "gains": dataclasses.asdict(training.gains),
        "windows_seen": training.windows_seen,
        "description": training.description,
        "licence": training.licence,
        "source": training.source,
    }


def supporting_network_facts(stored: StoredNetwork) -> dict[str, Any]:
    """What an exported supporting network is, as plain values in the order in which they are shown."""
    return {
        "network": stored.kind,
        "weights": "moving average" if stored.facts["averaged"] else "last step",
        "parameters": sum(parameter.numel() for parameter in stored.network.parameters()),
        **{name: value for name, value in stored.facts.items() if name != "averaged"},
    }


def generator_facts(exported: TrainedGenerator) -> dict[str, Any]:
    """What an exported generator is, as plain values in the order in which they are shown."""
    generator, training = exported
    return {
        "weights": "moving average" if training.averaged else "last step",
        "parameters": sum(parameter.numel() for parameter in generator.parameters()),
        "drawing_channels": generator.arguments["output_channels"],
        "image_size": training.image_size,
        "photos_seen": training.photos_seen,
        "flow_map_a": training.flow_a,
        "separate_foreground": training.separate_foreground,
        "recipe": dataclasses.asdict(training.recipe),
        "licence": training.licence,
        "source": training.source,
    }


_PLACES = {
    "package": "in the package {}: ",
    "torch-hub": "in torch's download folder: ",
    "own-copy": "",
    "weight-set": "in the set {}: ",
}
SUBCOMMANDS = {"list": list_weights, "verify": verify_weights, "import": import_weights, "export": export_weights}
OPTIONS = {"folders": Option(metavar="FOLDER..."), "pick": Option(metavar="ROLE=FILE")}


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
