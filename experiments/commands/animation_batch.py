"""Run animations one after the other: one that fails is reported and the rest go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from experiments.cli import report_error
from lightning_modules.errors import InkspeakError
from lightning_modules.pipeline.animation_job import AnimationJob, AnimationReport, Progress
from lightning_modules.pipeline.backends import Backends


@dataclass
class BatchOutcome:
    """What became of a batch.

    Attributes:
        reports: one per animation that was made.
        failures: job and error of each that was not.
    """

    reports: list[AnimationReport] = field(default_factory=list)
    failures: list[tuple[AnimationJob, Exception]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """2 when anything failed, else 0."""
        return InkspeakError.exit_code if self.failures else 0

    def summary(self, seconds: float) -> str:
        """How many were made, and which were not.

        Args:
            seconds: wall time of the whole batch.
        """
        total = len(self.reports) + len(self.failures)
        lines = [f"{len(self.reports)} of {total} made in {seconds:.0f} s"]
        if self.failures:
            lines[0] += f", {len(self.failures)} failed:"
            lines += [f"  {job.output.name}: {' '.join(str(error).split())}" for job, error in self.failures]
        return "\n".join(lines)


def run_batch(jobs: Sequence[AnimationJob], progress: Progress, *, debug: bool = False) -> BatchOutcome:
    """Make every animation.

    Args:
        jobs: what to make.
        progress: listener, told of every job when there are several.
        debug: print the traceback of an animation that fails.

    Returns:
        What was made and what failed.

    Raises:
        InkspeakError: the only job failed; among several a failure is reported and recorded instead.
    """
    outcome, backends = BatchOutcome(), Backends()
    for number, job in enumerate(jobs, 1):
        if len(jobs) > 1:
            progress.note(f"[{number}/{len(jobs)}] {job.output.name}")
        try:
            outcome.reports.append(make_animation(job, progress, backends))
        except Exception as error:
            progress.close()
            if len(jobs) == 1:
                raise
            outcome.failures.append((job, error))
            report_error(error, debug=debug)
        else:
            progress.note(describe(outcome.reports[-1]))
    return outcome


def describe(report: AnimationReport) -> str:
    """One line about a finished animation: where it is, how long it is, how long it took."""
    spent = sum(report.seconds.values())
    others = f", with {', '.join(str(path) for path in report.written[1:])}" if len(report.written) > 1 else ""
    length = f"{report.frames} frames, {report.frames / report.fps:.1f} s at {report.fps:g} fps"
    return f"{report.output}: {length}{others}; took {spent:.1f} s"


def make_animation(job: AnimationJob, progress: Progress, backends: Backends | None = None) -> AnimationReport:
    """Make one animation: the sound is checked first, which is cheap, then the pipeline takes over.

    Args:
        job: what to make.
        progress: listener.
        backends: those of the animations before, to be used again.

    Raises:
        InkspeakError: an input or output cannot be used.
    """
    from lightning_modules.audio.loading import probe_speech

    probe_speech(job.speech)
    from lightning_modules.pipeline.animate import animate_photo

    return animate_photo(job, progress, backends)
