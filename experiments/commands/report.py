"""``inkspeak report``: training runs as one page, for people without an account anywhere."""

from __future__ import annotations

from pathlib import Path

from experiments.signature_parser import Option
from lightning_modules.errors import ConfigError

OPTIONS = {"runs": Option(metavar="RUN"), "output": Option(short="-o", metavar="FILE")}


def report(
    runs: list[Path],
    *,
    output: Path = Path("report.html"),
    previews: int = 6,
    media: int = 60,
) -> int:
    """Make a dashboard of training runs: one HTML file that needs no network and no account.

    Curves of all runs over images seen, previews, the settings in which the runs differ, best and last figures. A RUN
    is a folder with a metrics.csv, which training always writes, or a folder above several of them.

    Args:
        runs: folders of runs, or folders above them
        output: the page to write
        previews: so many previews of each kind from a run, evenly from the first to the last
        media: at most so many megabytes of pictures and videos

    Returns:
        0.

    Raises:
        InkspeakError: a folder holds no run, a run cannot be read, or the page cannot be written.

    Example:
        inkspeak report runs/paper -o paper.html
        inkspeak report runs/PortraitGAN/version_0 runs/PortraitGAN/version_1
    """
    from experiments.pages.run_page import run_page
    from lightning_modules.pipeline.atomic_files import atomic_path
    from lightning_modules.pipeline.output_checks import check_output

    if not runs:
        raise ConfigError("no run is given", "name one or several folders")
    if previews < 0 or media < 0:
        raise ConfigError(f"{previews} previews and {media} megabytes are asked for", "give 0 or more")
    check_output(output, suffixes=(".html",))
    page = run_page([run.expanduser() for run in runs], previews=previews, media_bytes=media * 1_000_000)
    with atomic_path(output.expanduser()) as aside:
        aside.write_text(page, encoding="utf-8")
    print(f"{output}: {len(page.encode()) / 1e6:.1f} MB")
    return 0
