"""What the answers of a user study say: shares of preference with intervals, and how far people agree."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.pages.page_parts import read_json
from experiments.pages.study_page import ANSWERS_FORMAT, KEY_FILE, KEY_FORMAT
from lightning_modules.errors import ReportError

RESAMPLES: Final = 5000
_NORMAL_95: Final = 1.959963984540054


@dataclass(frozen=True)
class Vote:
    """One answer: who chose which method, of those shown, for which question about which clip.

    Attributes:
        participant: who answered.
        question: key of the question.
        clip: name of the clip.
        shown: the methods of the trial from left to right.
        chosen: one of ``shown``.
    """

    participant: str
    question: str
    clip: str
    shown: tuple[str, ...]
    chosen: str


@dataclass(frozen=True)
class Share:
    """How often a method was chosen where it was shown.

    Attributes:
        value: ``chosen / shown``, in [0, 1].
        low: lower end of the 95 % interval, ``None`` with fewer than two participants.
        high: upper end.
        chosen: answers for the method.
        shown: answers in which it could have been chosen.
    """

    value: float
    low: float | None
    high: float | None
    chosen: int
    shown: int


def read_key(path: Path) -> dict[str, Any]:
    """Read the key of a study.

    Args:
        path: ``key.json``, or the folder that ``inkspeak study make`` made.

    Raises:
        ReportError: it is missing or not a key.
    """
    path = path / KEY_FILE if path.is_dir() else path
    key = read_json(path)
    if not isinstance(key, dict) or key.get("format") != KEY_FORMAT:
        raise ReportError("it is not the key of a study", "give the key.json that inkspeak study make wrote", path)
    return key


def read_votes(answers: Sequence[Path], key: Mapping[str, Any]) -> list[Vote]:
    """Read files of answers and put the methods back in place of the codes.

    Questions that a participant left open are passed by.

    Args:
        answers: the files that participants handed over.
        key: what :func:`read_key` gives.

    Raises:
        ReportError: a file is missing, damaged, of another study, or of a participant of an earlier file.
    """
    votes: list[Vote] = []
    files: dict[str, Path] = {}
    for path in answers:
        content = read_json(path)
        if not isinstance(content, dict) or content.get("format") != ANSWERS_FORMAT:
            raise ReportError("it is not a file of answers", "give the files that participants saved", path)
        if content.get("study") != key["study"]:
            raise ReportError(
                f"it answers study {content.get('study')}, and the key is of {key['study']}", "give its own key", path
            )
        try:
            participant = str(content["participant"])
            found = [vote for trial in content["trials"] for vote in _votes(participant, trial, key)]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ReportError(f"its answers are damaged ({error})", "ask for the file again", path) from error
        if participant in files:
            raise ReportError(
                f"{participant} has answered in {files[participant].name} as well", "give one file of each person", path
            )
        files[participant] = path
        votes += found
    return votes


def _votes(participant: str, trial: Mapping[str, Any], key: Mapping[str, Any]) -> Iterable[Vote]:
    videos = key["videos"]
    shown = tuple(str(videos[code]["method"]) for code in trial["shown"])
    clips = {str(videos[code]["clip"]) for code in trial["shown"]}
    if len(clips) != 1 or len(set(shown)) < len(shown):
        raise ValueError("a trial mixes clips or shows a method twice")
    asked = {question["key"] for question in key["questions"]}
    for question, code in trial["answers"].items():
        if question not in asked or code not in trial["shown"]:
            raise ValueError(f"an answer to '{question}' is not one of those offered")
        yield Vote(participant, question, *clips, shown, str(videos[code]["method"]))


def preference_shares(votes: Sequence[Vote], methods: Sequence[str], *, seed: int = 0) -> dict[str, Share | None]:
    """Share of each method for one question, with the interval of a bootstrap over participants.

    Answers of one person resemble each other, so people are drawn anew, not answers: 5000 times, each time as many as
    there are; the interval holds the middle 95 % of the shares (percentiles).

    Args:
        votes: answers to one question.
        methods: whose shares to give; ``None`` for one that was never shown.
        seed: of the bootstrap.
    """
    people = sorted({vote.participant for vote in votes})
    place = {person: index for index, person in enumerate(people)}
    draws = np.random.default_rng(seed).integers(0, max(len(people), 1), (RESAMPLES, len(people)))
    shares: dict[str, Share | None] = {}
    for method in methods:
        chosen, shown = np.zeros(len(people)), np.zeros(len(people))
        for vote in votes:
            if method in vote.shown:
                shown[place[vote.participant]] += 1
                chosen[place[vote.participant]] += vote.chosen == method
        if not shown.sum():
            shares[method] = None
            continue
        low, high = None, None
        if len(people) > 1:
            times = shown[draws].sum(axis=1)
            again = chosen[draws].sum(axis=1)[times > 0] / times[times > 0]
            low, high = (float(end) for end in np.percentile(again, (2.5, 97.5)))
        shares[method] = Share(float(chosen.sum() / shown.sum()), low, high, int(chosen.sum()), int(shown.sum()))
    return shares


def wilson_interval(chosen: int, shown: int) -> tuple[float, float]:
    """95 % interval of a share as if every answer came from another person (Wilson's score interval).

    Args:
        chosen: successes.
        shown: trials, at least 1.
    """
    share, square = chosen / shown, _NORMAL_95**2
    centre = (share + square / (2 * shown)) / (1 + square / shown)
    half = _NORMAL_95 / (1 + square / shown) * math.sqrt(share * (1 - share) / shown + square / (4 * shown**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Agreement on names, from 1 (all agree) over 0 (as by chance) to below 0 (they disagree systematically).

    Krippendorff's alpha for nominal data by the coincidence matrix; a unit may lack answers of some people.

    Args:
        units: for each thing that was judged, the values given to it, one from each person who judged it.

    Returns:
        Alpha; ``None`` where nobody judged the same thing as another, or all values are the same.
    """
    weights: dict[tuple[Hashable, Hashable], float] = defaultdict(float)
    for values in units:
        if len(values) < 2:
            continue
        counts = Counter(values)
        for one, other in ((a, b) for a in counts for b in counts):
            weights[one, other] += counts[one] * (counts[other] - (one == other)) / (len(values) - 1)
    totals: dict[Hashable, float] = defaultdict(float)
    for (one, _), weight in weights.items():
        totals[one] += weight
    everything = sum(totals.values())
    expected = everything**2 - sum(total**2 for total in totals.values())
    if not expected:
        return None
    observed = sum(weight for (one, other), weight in weights.items() if one != other)
    return 1 - (everything - 1) * observed / expected


def agreement(votes: Iterable[Vote]) -> float | None:
    """Krippendorff's alpha of one question: what is judged is a clip with its set of methods."""
    judged: dict[tuple[str, frozenset[str]], list[str]] = defaultdict(list)
    for vote in votes:
        judged[vote.clip, frozenset(vote.shown)].append(vote.chosen)
    return krippendorff_alpha(judged.values())


def first_place_share(votes: Sequence[Vote]) -> tuple[float, float] | None:
    """Share of answers for the leftmost video, and what it would be without any liking for a side."""
    if not votes:
        return None
    return (
        sum(vote.chosen == vote.shown[0] for vote in votes) / len(votes),
        sum(1 / len(vote.shown) for vote in votes) / len(votes),
    )


def analyse(votes: Sequence[Vote], key: Mapping[str, Any], *, seed: int = 0) -> dict[str, Any]:
    """Everything that the table tells, as plain values.

    Args:
        votes: what :func:`read_votes` gives.
        key: what :func:`read_key` gives.
        seed: of the bootstrap.

    Raises:
        ReportError: there is no answer at all.
    """
    if not votes:
        raise ReportError("there is no answer in these files", "give files of participants who answered")
    people = {vote.participant for vote in votes}
    questions: dict[str, Any] = {}
    for question in key["questions"]:
        own = [vote for vote in votes if vote.question == question["key"]]
        shares = preference_shares(own, key["methods"], seed=seed)
        questions[question["key"]] = {
            "title": question["title"],
            "text": question["text"],
            "answers": len(own),
            "agreement": agreement(own),
            "shares": {name: share and _facts(share) for name, share in shares.items()},
        }
    sides = first_place_share(votes)
    return {
        "study": key["study"],
        "compare": key["compare"],
        "participants": len(people),
        "clips": len({vote.clip for vote in votes}),
        "methods": list(key["methods"]),
        "questions": questions,
        "first_place": sides and {"share": sides[0], "by_chance": sides[1]},
    }


def _facts(share: Share) -> dict[str, Any]:
    wilson = wilson_interval(share.chosen, share.shown)
    return {**vars(share), "wilson": list(wilson)}


def study_table(found: Mapping[str, Any]) -> str:
    """The analysis as Markdown: a row for each method, a column for each question, agreement below.

    Args:
        found: what :func:`analyse` gives.
    """
    questions = found["questions"].values()
    answers = sum(question["answers"] for question in questions)
    lines = [
        f"{found['participants']} participants, {found['clips']} clips, {answers} answers",
        "",
        _row(["method", *(f"{question['title']} (%)" for question in questions)]),
        _row(["---"] * (len(questions) + 1)),
    ]
    lines += [
        _row([method, *(_share_text(question["shares"][method]) for question in questions)])
        for method in found["methods"]
    ]
    agreements = (question["agreement"] for question in questions)
    lines += [_row(["agreement (alpha)", *("–" if value is None else f"{value:.2f}" for value in agreements)]), ""]
    told = "of the answers to trials that showed the method" if found["compare"] == "pairs" else "of all answers"
    lines.append(
        f"Share {told}, with the 95 % interval of a bootstrap over participants ({RESAMPLES} draws). Agreement: "
        "Krippendorff's alpha for names, 1 when all choose alike, 0 as by chance."
    )
    if sides := found["first_place"]:
        lines.append(
            f"The leftmost video was chosen in {100 * sides['share']:.1f} % of the answers "
            f"(by chance {100 * sides['by_chance']:.1f} %)."
        )
    if found["participants"] < 2:
        lines.append("One participant gives no interval and no agreement.")
    return "\n".join(lines)


def _share_text(share: Mapping[str, Any] | None) -> str:
    if share is None:
        return "–"
    if share["low"] is None:
        return f"{100 * share['value']:.1f}"
    return f"{100 * share['value']:.1f} ({100 * share['low']:.1f} – {100 * share['high']:.1f})"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
