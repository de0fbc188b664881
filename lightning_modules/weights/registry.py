"""The known weight files: read from ``manifest.yaml``, found on this machine, and recognised by their sha256.

Nothing is loaded or downloaded here, and torch is not imported.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from lightning_modules.errors import WeightsError

MANIFEST = Path(__file__).with_name("manifest.yaml")

STARTERS: Final[Mapping[str, str]] = {
    "mobilefacenet": "starter-landmark-detector",
    "sphereface": "starter-identity-features",
    "flow_regression": "starter-flow-regression",
}
"""Networks that come with this package, which a configuration takes by ``path: starter``: kind -> name."""

Location = Literal["package", "torch-hub", "own-copy", "weight-set"]
State = Literal["intact", "changed", "present", "absent", "own copy"]

_LISTED = set(get_args(Location)) - {"weight-set"}  # sets have lists of their own

_TYPES: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "role": (str,),
    "location": (str,),
    "package": (str, type(None)),
    "file": (str,),
    "size": (int, type(None)),
    "exact": (bool,),
    "sha256": (str, type(None)),
    "licence": (str,),
    "source": (str,),
    "read_by": (str, type(None)),
    "default": (bool,),
}


@dataclass(frozen=True)
class WeightFile:
    """One row of the manifest; see the head of ``manifest.yaml`` for what the fields mean.

    Attributes:
        name: unique name.
        role: what it is for.
        location: what kind of place it is kept in.
        package: the package that holds or reads it; the set that it belongs to.
        file: path inside the package, file name in the hub folder, or path in the published archive.
        size: bytes, exact or about; ``None`` when not known.
        exact: whether ``size`` and ``sha256`` were computed from the file itself.
        sha256: 64 hexadecimal digits; ``None`` when not known.
        licence: licence of the weights as their authors state it.
        source: where it comes from.
        read_by: what uses it; ``None`` when nothing in this version does.
        default: whether a plain ``inkspeak animate`` needs it.
    """

    name: str
    role: str
    location: Location
    package: str | None
    file: str
    size: int | None
    exact: bool
    sha256: str | None
    licence: str
    source: str
    read_by: str | None
    default: bool


def load_manifest(path: Path = MANIFEST) -> tuple[WeightFile, ...]:
    """Read and check the manifest.

    Args:
        path: the YAML file; it is read as plain data, no tag in it can run code.

    Returns:
        Its rows, in order.

    Raises:
        WeightsError: the file is missing, is not such a manifest, or a row of it is wrong.
    """
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WeightsError(f"the weights manifest cannot be read ({error})", "install inkspeak again", path) from error
    rows = document.get("weights") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise WeightsError("the weights manifest has no list 'weights'", "install inkspeak again", path)
    weights = tuple(_weight_of(row, number, path) for number, row in enumerate(rows, 1))
    if len({weight.name for weight in weights}) < len(weights):
        raise WeightsError("two rows of the weights manifest share a name", "give each its own", path)
    return weights


def _weight_of(row: Any, number: int, path: Path) -> WeightFile:
    where = f"row {number} of the weights manifest"
    fields = {field.name for field in dataclasses.fields(WeightFile)}
    if not isinstance(row, dict) or set(row) != fields:
        odd = sorted(set(row) ^ fields) if isinstance(row, dict) else ["everything"]
        raise WeightsError(f"{where} has missing or unknown fields: {', '.join(map(str, odd))}", "correct it", path)
    for name, types in _TYPES.items():
        if type(row[name]) not in types:
            raise WeightsError(f"{where}: '{name}' is {row[name]!r}", "correct it", path)
    digest = row["sha256"]
    if digest is not None and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
        raise WeightsError(f"{where}: 'sha256' is not 64 hexadecimal digits", "correct it", path)
    if row["location"] not in _LISTED or (row["location"] != "own-copy" and row["package"] is None):
        raise WeightsError(
            f"{where}: 'location' is {row['location']!r}, 'package' {row['package']!r}", "correct it", path
        )
    return WeightFile(**row)


def hub_folder() -> Path:
    """Folder in which torch keeps downloaded weights: ``$TORCH_HOME/hub/checkpoints`` or its usual place."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or f"{cache}/torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def locate(weight: WeightFile) -> Path | None:
    """Where the file of a weight is on this machine; ``None`` when it is not there, or is the user's own copy."""
    if weight.location == "own-copy":
        return None
    if weight.location in {"torch-hub", "weight-set"}:  # of the latter the whole path is known
        path = hub_folder() / weight.file
        return path if path.is_file() else None
    spec = importlib.util.find_spec(weight.package or "")  # finds the folder without importing the package
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    return next((path for folder in folders if (path := Path(folder) / weight.file).is_file()), None)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def state_of(weight: WeightFile, *, verify: bool = False) -> State:
    """Whether a weight is at hand, and with ``verify`` whether it is the file it should be.

    Args:
        weight: a row of the manifest.
        verify: read the whole file and compare its sha256.

    Returns:
        ``"intact"``: verified, the sha256 is right; ``"changed"``: size or sha256 is wrong; ``"present"``: there, but
        not verified or its sha256 is not known; ``"absent"``; ``"own copy"``: the user's, and not looked for.
    """
    if weight.location == "own-copy":
        return "own copy"
    path = locate(weight)
    if path is None:
        return "absent"
    if weight.exact and weight.size != path.stat().st_size:
        return "changed"
    if not verify or weight.sha256 is None:
        return "present"
    return "intact" if sha256_of(path) == weight.sha256 else "changed"


def require_weight(name: str) -> Path:
    """The file of a weight, verified, for whoever is about to load it.

    Args:
        name: a name of the manifest.

    Returns:
        Its path.

    Raises:
        WeightsError: the name is not known, the file is not here, or it is not the right file.
    """
    weight = next((one for one in load_manifest() if one.name == name), None)
    if weight is None:
        raise WeightsError(f"there are no weights called '{name}'", "see inkspeak weights list")
    path = locate(weight)
    if path is None:
        raise WeightsError(f"the weights '{name}' ({weight.file}) are not on this machine", f"source: {weight.source}")
    if state_of(weight, verify=True) == "changed":
        raise WeightsError(
            f"these are not the known weights '{name}'", f"install them again from {weight.source}", path
        )
    return path
