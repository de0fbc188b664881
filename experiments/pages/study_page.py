"""A user study as a folder of static files: which method do people prefer, asked without telling them the methods.

The paper asks people about drawn videos of several methods (its Table 2); the wording of the four questions here is
ours, one for each aspect: image quality of the face, lips and speech, motion of the head, and the whole.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from experiments.pages.evaluation_summary import EvaluatedClip, Summary, read_summary
from experiments.pages.page_parts import render
from experiments.pages.study_sound import copy_with_sound
from lightning_modules.errors import ConfigError, OutputError, ReportError
from lightning_modules.pipeline.atomic_files import atomic_path

Comparison = Literal["all", "pairs"]
KEY_FILE: Final = "key.json"
KEY_FORMAT: Final = "inkspeak study key 1"
ANSWERS_FORMAT: Final = "inkspeak study answers 1"
MOST_AT_ONCE: Final = 6
"""More videos side by side nobody compares; keys and small screens end here too."""


@dataclass(frozen=True)
class Question:
    """One question about the videos of a trial.

    Attributes:
        key: its name in the answers.
        title: its heading in the table.
        text: what is asked.
        about: what to look at.
    """

    key: str
    title: str
    text: str
    about: str


QUESTIONS: Final = (
    Question("quality", "image quality", "Which face is drawn best?", "clear, complete lines that do not flicker"),
    Question("lips", "lip sync", "Whose lips fit the speech best?", "open and closed at the right moment"),
    Question("head", "head motion", "Whose head moves most naturally?", "neither frozen nor shaking"),
    Question("overall", "overall", "Which video is best as a whole?", "the one that you would show to others"),
)


def make_study(
    evaluation: Path,
    output: Path,
    *,
    methods: Sequence[str] = (),
    compare: Comparison = "all",
    trials: int | None = None,
    seed: int = 0,
    title: str = "Talking drawings: which do you prefer?",
) -> dict[str, Any]:
    """Build a study from evaluated videos.

    ``output/page`` is what is put on a server or sent round: ``index.html`` and the videos under meaningless names.
    ``output/key.json`` says which video is whose and stays with whoever runs the study. A clip takes part when all
    methods have a video of it.

    Args:
        evaluation: folder (or ``summary.json``) of ``inkspeak evaluate clips``.
        output: the folder to make; one that has something in it is refused.
        methods: methods to compare, at least two; all of the evaluation when empty.
        compare: ``"all"`` shows all methods of a clip together, ``"pairs"`` the first method beside each other one.
        trials: at most so many trials a participant, drawn for each anew; all when ``None``.
        seed: another seed gives other file names.
        title: heading of the page.

    Returns:
        The key: ``format``, ``study``, ``compare``, ``methods``, ``questions``, ``trials``, ``videos``, ``left_out``
        (clip -> why).

    Raises:
        ReportError: the evaluation cannot be read, or no clip has videos of all methods.
        ConfigError: fewer than two methods, too many side by side, one that is not in the evaluation, or no trial.
        OutputError: the folder has something in it or cannot be written.
        VideoError: a video has no sound, and neither has its reference.
    """
    summary = read_summary(evaluation)
    chosen = _chosen_methods(summary, methods, compare)
    if trials is not None and trials < 1:
        raise ConfigError(f"{trials} trials are asked for", "give 1 or more")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError("it exists and is not an empty folder", "choose another folder", output)
    clips, left_out = _usable_clips(summary, chosen)
    if not clips:
        raise ReportError(
            f"no clip has a video of each of {', '.join(chosen)}",
            "evaluate again, or name other methods",
            summary.folder,
        )
    codes = {(clip.name, method): _code(seed, clip.name, method) for clip in clips for method in chosen}
    shown = [list(chosen)] if compare == "all" else [[chosen[0], other] for other in chosen[1:]]
    rounds = [
        {"clip": _code(seed, clip.name), "videos": [codes[clip.name, method] for method in group]}
        for clip, group in itertools.product(clips, shown)
    ]
    content = {
        "compare": compare,
        "methods": chosen,
        "questions": [asdict(item) for item in QUESTIONS],
        "trials": rounds,
    }
    study = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    key = {
        "format": KEY_FORMAT,
        "study": study,
        **content,
        "videos": {code: {"clip": clip, "method": method} for (clip, method), code in codes.items()},
        "left_out": left_out,
        "evaluation": {"made": summary.made, "command": summary.command},
    }
    each = min(trials or len(rounds), len(rounds))
    page = study_page(study, rounds, title=title, trials=each, fps=summary.fps)
    with atomic_path(output, folder=True) as aside:
        (aside / "page/videos").mkdir(parents=True)
        (aside / "page/index.html").write_text(page, encoding="utf-8")
        (aside / KEY_FILE).write_text(json.dumps(key, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for clip, method in itertools.product(clips, chosen):
            _place_video(clip, method, aside / f"page/videos/{codes[clip.name, method]}.mp4")
    return key


def study_page(study: str, rounds: Sequence[dict[str, Any]], *, title: str, trials: int, fps: float) -> str:
    """The page that participants see; it names videos by their codes only.

    Args:
        study: identity of the study; answers carry it.
        rounds: ``clip`` and ``videos`` as codes; a video lies beside the page as ``videos/CODE.mp4``.
        title: heading.
        trials: so many of the rounds are drawn for a participant.
        fps: frames per second of the videos.
    """
    questions = [{"key": item.key, "text": item.text, "about": item.about} for item in QUESTIONS]
    data = {"format": ANSWERS_FORMAT, "study": study, "questions": questions, "rounds": list(rounds), "each": trials}
    return render("study_page.html", {"title": title, "trials": trials, "data": data | {"fps": fps}})


def _chosen_methods(summary: Summary, methods: Sequence[str], compare: Comparison) -> list[str]:
    chosen = list(methods or summary.methods)
    strange = [name for name in chosen if name not in summary.methods]
    if strange:
        raise ConfigError(
            f"the evaluation has no method '{strange[0]}'", f"choose from {', '.join(summary.methods)}", summary.folder
        )
    if len(chosen) < 2 or len(set(chosen)) < len(chosen):
        raise ConfigError("a study needs two or more different methods", "name them with --methods")
    if compare == "all" and len(chosen) > MOST_AT_ONCE:
        raise ConfigError(
            f"{len(chosen)} videos side by side are too many to compare",
            f"name at most {MOST_AT_ONCE} with --methods, or use --compare pairs",
        )
    return chosen


def _usable_clips(summary: Summary, methods: Sequence[str]) -> tuple[list[EvaluatedClip], dict[str, str]]:
    usable, left_out = [], {}
    for clip in summary.clips:
        results = {method: clip.results.get(method) for method in methods}
        lacking = [name for name, found in results.items() if not (found and found.video and found.video.is_file())]
        if lacking:
            left_out[clip.name] = f"no video of {', '.join(lacking)}"
        else:
            usable.append(clip)
    return usable, left_out


def _place_video(clip: EvaluatedClip, method: str, target: Path) -> None:
    video = clip.results[method].video
    if video is None:  # such clips were left out
        raise AssertionError(clip.name)
    if not copy_with_sound(video, clip.reference, target):
        shutil.copyfile(video, target)


def _code(*parts: object) -> str:
    """A name without meaning."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:16]
