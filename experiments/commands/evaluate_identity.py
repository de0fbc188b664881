"""``inkspeak evaluate identity``: whether the features of the identity loss know held-out faces in other drawings."""

from __future__ import annotations

from pathlib import Path

from experiments.progress import make_progress
from lightning_modules.errors import ConfigError
from lightning_modules.pipeline.output_checks import check_output


def evaluate_identity(
    sets: list[Path],
    *,
    weights: Path | None = None,
    person: str | None = None,
    hold_out: list[float] = [],  # noqa: B006 - never changed
    most: int = 200,
    json: Path | None = None,
    sheet: Path | None = None,
    quiet: bool = False,
) -> int:
    """Measure by the area under the ROC curve whether views of one face rank above views of two.

    Prints a table in Markdown. Give the sets, the person and the shares of the training: whoever was trained on says
    nothing. What the network knows is for the loss; likeness of results is judged by another network.

    Args:
        sets: folders that inkspeak prepare photos made
        weights: a file of identity features, instead of the starter
        person: regular expression that finds in a photo's name whose it is, as in training
        hold_out: share of the people of each set that was held out, or one for all (default 0.2)
        most: at most so many people of each set, evenly from all that were held out
        json: write the figures to this file as well
        sheet: draw the drawings that are known worst, as PNG
        quiet: no progress

    Returns:
        0.

    Raises:
        InkspeakError: a set or the file cannot be used, nobody is held out, or a file cannot be written.

    Example:
        inkspeak evaluate identity prepared/photos --hold-out 0.1
        inkspeak evaluate identity prepared/people --person "^([^/]+)/" --json figures.json --sheet hardest.png
    """
    from datamodules.face_warp import WarpSettings
    from datamodules.identity_faces import FaceFolder
    from experiments.commands.benchmark import write_figures
    from experiments.identity_evaluation import figures, hardest, held_out_people, measured, table
    from lightning_modules.pipeline.contact_sheet import save_image
    from lightning_modules.weights.from_file import network_from_file
    from lightning_modules.weights.registry import require_weight

    if not sets:
        raise ConfigError("no set of prepared photos is given", "name one or several")
    if most < 1:
        raise ConfigError(f"at most {most} people are to be measured", "give 1 or more")
    shares = list(hold_out) or [0.2]
    if len(shares) not in (1, len(sets)):
        raise ConfigError(f"{len(shares)} shares for {len(sets)} sets", "give one for all or one for each")
    for path, suffix in ((json, ".json"), (sheet, ".png")):
        if path is not None:
            check_output(path, suffixes=(suffix,))
    file = require_weight("starter-identity-features") if weights is None else weights
    network = network_from_file("sphereface", file)
    shares = shares * len(sets) if len(shares) == 1 else shares
    folders = [FaceFolder(folder, person, share) for folder, share in zip(sets, shares, strict=True)]
    progress = make_progress(quiet=quiet)
    try:
        progress.start("drawing", None)
        people = held_out_people(folders, most, progress.advance)
    finally:
        progress.close()
    found = measured(network, people, WarpSettings())  # type: ignore[arg-type]  # the kind says which network it is
    told = figures(found, [folder.expanduser().resolve().name for folder in sets])
    print(table(told))
    if json is not None:
        write_figures(json, told)
    if sheet is not None:
        save_image(sheet, hardest(found))
    return 0
