"""The files of imported sets as rows beside those of the manifest, for ``inkspeak weights list`` and ``verify``."""

from __future__ import annotations

from lightning_modules.weights.published_roles import ROLES, role_of
from lightning_modules.weights.registry import State, WeightFile, state_of
from lightning_modules.weights.weight_sets import SetMember, WeightSet, known_sets


def set_rows(*, verify: bool = False) -> list[tuple[WeightFile, State]]:
    """Every file of every set, and whether it is what it was at import.

    Args:
        verify: read the files and compare their sha256.

    Raises:
        WeightsError: the list of a set is damaged.
    """
    rows = [_row(weights, member) for weights in known_sets() for member in weights.members]
    return [(row, state_of(row, verify=verify)) for row in rows]


def _row(weights: WeightSet, member: SetMember) -> WeightFile:
    role = next((role for role in ROLES if role.name == member.role), None) or role_of(member.kind, {})
    return WeightFile(
        name=f"{weights.name}:{member.role}",
        role=role.purpose,
        location="weight-set",
        package=weights.name,
        file=str(weights.folder / member.file),
        size=member.size,
        exact=True,
        sha256=member.sha256,
        licence=member.licence,
        source=f"{member.source} ({member.source_file}, sha256 {member.source_sha256})",
        read_by=role.read_by.replace("SET", weights.name),
        default=False,
    )
