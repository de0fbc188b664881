"""``inkspeak demo``: animate the portrait and the sentence that come with the package. No argument, no network."""

from __future__ import annotations

from pathlib import Path

from experiments.commands.animation_batch import describe, make_animation
from experiments.commands.batch import Pair
from experiments.commands.output_plan import plan_outputs
from experiments.folders import cache_folder
from experiments.progress import make_progress
from experiments.signature_parser import Option
from lightning_modules.pipeline.animation_job import AnimationJob, Look

OPTIONS = {"output": Option(short="-o", metavar="FILE")}


def demo(
    *,
    output: Path = Path("out/demo.mp4"),
    size: int = AnimationJob.size,
    look: Look = AnimationJob.look,
    cache: bool = True,
    quiet: bool = False,
) -> int:
    """Animate the portrait and the sentence that come along.

    Writes the video and beside it a contact sheet, and says what it wrote and how long each part took. Nothing is read
    from the network.

    Args:
        output: the video to write; the sheet is called the same with _sheet.png
        size: side of the square drawing in pixels
        look: pen, pencil, or a cartoon in colour
        cache: keep the prepared portrait and find it again, or not (default: keep)
        quiet: no progress

    Returns:
        0.

    Raises:
        OutputError: the output cannot be written.

    Example:
        inkspeak demo
        inkspeak demo --output drawn.mp4 --size 512 --look ink
    """
    from experiments.demo import DEMO_PHOTO, DEMO_SPEECH

    (plan,) = plan_outputs([Pair(DEMO_PHOTO, DEMO_SPEECH, "demo")], output, contact_sheet="auto")
    job = AnimationJob(
        photo=DEMO_PHOTO,
        speech=DEMO_SPEECH,
        output=plan.video,
        size=size,
        look=look,
        contact_sheet=plan.contact_sheet,
        cache=cache_folder() if cache else None,
    )
    report = make_animation(job, make_progress(quiet=quiet))
    print(describe(report))
    print("  " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items()))
    return 0
