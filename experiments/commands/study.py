"""``inkspeak study``: ask people which drawings they prefer, and say what they answered."""

from __future__ import annotations

from pathlib import Path

from experiments.pages.study_analysis import analyse, read_key, read_votes, study_table
from experiments.pages.study_page import Comparison, make_study
from experiments.signature_parser import Option
from experiments.tables import as_json
from lightning_modules.errors import ConfigError

OPTIONS = {
    "evaluation": Option(metavar="EVALUATION_FOLDER"),
    "output": Option(short="-o", metavar="FOLDER"),
    "methods": Option(metavar="METHOD"),
    "answers": Option(metavar="ANSWERS.json"),
    "key": Option(short="-k", metavar="FILE"),
    "json": Option(metavar="FILE"),
    "markdown": Option(metavar="FILE"),
}


def make(
    evaluation: Path,
    *,
    output: Path = Path("study"),
    methods: list[str] = [],  # noqa: B006 - never changed
    compare: Comparison = "all",
    trials: int | None = None,
    seed: int = 0,
    title: str = "Talking drawings: which do you prefer?",
) -> int:
    """Build the pages of a user study from evaluated videos.

    FOLDER/page is what participants get: put it on any web server, or send it round and have index.html opened. The
    order of the clips and the sides of the methods follow from each participant's name. FOLDER/key.json says which
    video is whose: keep it to yourself, and give it to inkspeak study analyse.

    Args:
        evaluation: what inkspeak evaluate clips made
        output: the folder to make
        methods: methods to compare; all of the evaluation if left out
        compare: show all methods of a clip together, or the first one beside each other one
        trials: at most so many sets of videos for a participant, drawn anew for each
        seed: another number gives other file names
        title: heading of the page

    Returns:
        0.

    Raises:
        InkspeakError: the evaluation cannot be used, or the folder cannot be written.

    Example:
        inkspeak study make out/evaluation -o study
        inkspeak study make out/evaluation -o study --methods ours upd_warp --compare pairs --trials 18
    """
    key = make_study(
        evaluation.expanduser(),
        output.expanduser(),
        methods=methods,
        compare=compare,
        trials=trials,
        seed=seed,
        title=title,
    )
    print(f"study {key['study']}: {len(key['trials'])} sets of videos, {', '.join(key['methods'])}")
    for clip, why in key["left_out"].items():
        print(f"left out: {clip} ({why})")
    print(f"for participants: {output / 'page' / 'index.html'}")
    print(f"for you alone: {output / 'key.json'}")
    return 0


def analyse_answers(
    answers: list[Path],
    *,
    key: Path = Path("study"),
    json: Path | None = None,
    markdown: Path | None = None,
    seed: int = 0,
) -> int:
    """Say which methods people preferred, with intervals and how far they agree.

    Prints a table in Markdown.

    Args:
        answers: the files that participants saved
        key: the folder that inkspeak study make made, or its key.json
        json: write every figure to this file as well
        markdown: write the table to this file as well
        seed: of the bootstrap behind the intervals

    Returns:
        0.

    Raises:
        InkspeakError: a file is missing, damaged or of another study, or cannot be written.

    Example:
        inkspeak study analyse answers/*.json --key study
        inkspeak study analyse answers/*.json --key study --markdown table2.md --json table2.json
    """
    from lightning_modules.pipeline.atomic_files import atomic_path
    from lightning_modules.pipeline.output_checks import check_output

    if not answers:
        raise ConfigError("no file of answers is given", "name one or several")
    for path, suffix in ((json, ".json"), (markdown, ".md")):
        if path is not None:
            check_output(path, inputs=answers, suffixes=(suffix,))
    known = read_key(key.expanduser())
    found = analyse(read_votes([path.expanduser() for path in answers], known), known, seed=seed)
    text = study_table(found)
    print(text)
    for path, content in ((json, as_json(found)), (markdown, text)):
        if path is not None:
            with atomic_path(path) as aside:
                aside.write_text(content + "\n", encoding="utf-8")
    return 0


SUBCOMMANDS = {"make": make, "analyse": analyse_answers}
