"""``inkspeak doctor``: try everything an animation needs, for real, and say what to do about what does not work."""

from __future__ import annotations

import dataclasses

from experiments.commands.health_checks import CHECKS, Finding, examine
from experiments.tables import as_json


def doctor(*, json: bool = False) -> int:
    """Check this installation and say what to do.

    Every part is tried for real: a face is found in a photo, three frames are encoded with sound and decoded again. A
    line that says "fail" stops animations; "warn" is about something else, such as training.

    Args:
        json: print JSON instead of lines

    Returns:
        0 when animations can be made here, else 2.

    Example:
        inkspeak doctor
        inkspeak doctor --json
    """
    findings: list[Finding] = []
    for check in CHECKS:
        for finding in examine(check):
            findings.append(finding)
            if not json:
                print(line_of(finding), flush=True)
    ready = all(finding.state != "fail" for finding in findings)
    if json:
        print(as_json({"ready": ready, "findings": [dataclasses.asdict(finding) for finding in findings]}))
    else:
        print(f"\nanimations {'can' if ready else 'cannot'} be made here{'' if ready else ': see the lines with fail'}")
    return 0 if ready else 2


def line_of(finding: Finding) -> str:
    """One line for people, and below it what to do, if anything."""
    line = f"{finding.state:<4}  {finding.subject:<15} {finding.found}"
    return line if finding.remedy is None else f"{line}\n{'':<22}→ {finding.remedy}"
