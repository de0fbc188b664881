"""Shares, intervals and agreement, by hand and against published examples."""

from __future__ import annotations

import json

import pytest

from experiments.__main__ import main
from experiments.pages.study_analysis import (
    Vote,
    agreement,
    analyse,
    first_place_share,
    krippendorff_alpha,
    preference_shares,
    read_key,
    read_votes,
    wilson_interval,
)
from lightning_modules.errors import ReportError

# Four observers, twelve units, nominal: the worked example of Krippendorff, "Computing Krippendorff's
# Alpha-Reliability" (2011), section C; 0 stands for a missing value. The paper gives 0.743.
PUBLISHED = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)
KEY = {
    "format": "inkspeak study key 1",
    "study": "s1",
    "compare": "all",
    "methods": ["ours", "warp"],
    "questions": [{"key": "lips", "title": "lip sync", "text": "Whose lips?"}],
    "videos": {
        "c1": {"clip": "one", "method": "ours"},
        "c2": {"clip": "one", "method": "warp"},
        "d1": {"clip": "two", "method": "ours"},
        "d2": {"clip": "two", "method": "warp"},
    },
}


def answered(name: str, first: str, second: str) -> dict:
    trials = [
        {"clip": "x", "shown": ["c2", "c1"], "answers": {"lips": first}},
        {"clip": "y", "shown": ["d1", "d2"], "answers": {"lips": second}},
    ]
    return {"format": "inkspeak study answers 1", "study": "s1", "participant": name, "trials": trials}


@pytest.fixture
def study(tmp_path):
    """A key and answers of three people: ours 4 of 6 times."""
    (tmp_path / "key.json").write_text(json.dumps(KEY))
    people = {"ann": ("c1", "d1"), "ben": ("c1", "d2"), "cho": ("c2", "d1")}
    for name, chosen in people.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(answered(name, *chosen)))
    return tmp_path


def files(study):
    return [study / f"{name}.json" for name in ("ann", "ben", "cho")]


def test_alpha_of_the_published_example():
    units = [[value for value in unit if value] for unit in zip(*PUBLISHED, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)


def test_alpha_by_hand():
    # Two people, four clips, values a a | a b | b b | b b. Coincidences: aa 2, ab 1, ba 1, bb 4; totals a 3, b 5, n 8.
    # Observed disagreement 2 of 8, expected 2·3·5 of 8·7: alpha = 1 - 7·2/30.
    assert krippendorff_alpha([["a", "a"], ["a", "b"], ["b", "b"], ["b", "b"]]) == pytest.approx(1 - 14 / 30)
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert krippendorff_alpha([["a", "b"], ["b", "a"]]) == pytest.approx(1 - 3 * 4 / 8)  # below chance: -0.5
    assert krippendorff_alpha([["a"], ["b"]]) is None
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None


def test_answers_about_other_pairs_are_not_compared():
    votes = [
        Vote("ann", "q", "one", ("ours", "warp"), "ours"),
        Vote("ben", "q", "one", ("ours", "other"), "other"),
        Vote("cho", "q", "one", ("warp", "ours"), "ours"),
        Vote("dee", "q", "two", ("warp", "ours"), "warp"),
        Vote("eve", "q", "two", ("warp", "ours"), "warp"),
    ]
    assert agreement(votes) == 1


def test_shares_count_only_where_a_method_was_shown():
    votes = [
        Vote("ann", "q", "one", ("ours", "warp"), "ours"),
        Vote("ann", "q", "two", ("ours", "other"), "other"),
        Vote("ben", "q", "one", ("ours", "warp"), "ours"),
    ]
    shares = preference_shares(votes, ["ours", "warp", "other", "never"])
    assert (shares["ours"].value, shares["ours"].chosen, shares["ours"].shown) == (pytest.approx(2 / 3), 2, 3)
    assert shares["warp"].value == 0
    assert shares["other"].value == 1
    assert shares["never"] is None


def test_the_interval_is_that_of_people_not_of_answers():
    """Two people of opposite mind: drawn anew, a quarter of the draws each hold one of them alone."""
    votes = [
        Vote(person, "q", f"clip {clip}", ("ours", "warp"), chosen)
        for person, chosen in (("ann", "ours"), ("ben", "warp"))
        for clip in range(50)
    ]
    share = preference_shares(votes, ["ours"])["ours"]
    assert (share.value, share.low, share.high) == (0.5, 0.0, 1.0)
    low, high = wilson_interval(50, 100)
    assert 0.4 < low < high < 0.6  # a hundred strangers would have told much more
    again = preference_shares(votes[::-1], ["ours"])["ours"]
    assert again == share


def test_people_who_agree_give_a_narrow_interval():
    votes = [Vote(f"p{number}", "q", "one", ("ours", "warp"), "ours") for number in range(9)]
    share = preference_shares(votes, ["ours"])["ours"]
    assert (share.value, share.low, share.high) == (1, 1, 1)
    alone = preference_shares(votes[:1], ["ours"])["ours"]
    assert (alone.low, alone.high) == (None, None)


def test_wilson_by_known_values():
    # Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662, 0 of 20 gives 0 to 0.1611.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


def test_a_liking_for_a_side_is_seen():
    votes = [Vote("a", "q", str(n), ("x", "y", "z"), "x" if n < 6 else "y") for n in range(8)]
    assert first_place_share(votes) == (0.75, pytest.approx(1 / 3))
    assert first_place_share([]) is None


def test_codes_become_methods(study):
    votes = read_votes(files(study), read_key(study))
    assert votes[0] == Vote("ann", "lips", "one", ("warp", "ours"), "ours")
    assert [vote.chosen for vote in votes] == ["ours", "ours", "ours", "warp", "warp", "ours"]


def test_the_whole_analysis(study):
    found = analyse(read_votes(files(study), read_key(study)), KEY)
    assert (found["participants"], found["clips"]) == (3, 2)
    lips = found["questions"]["lips"]
    assert lips["answers"] == 6
    assert lips["shares"]["ours"]["value"] == pytest.approx(2 / 3)
    assert lips["shares"]["ours"]["low"] == 0.5  # two people chose it once, one twice: no draw gives less
    assert lips["shares"]["ours"]["high"] == 1
    # Each clip: ours ours warp. Coincidences oo 1, ow 1, wo 1, ww 0, twice: observed 4 of 6, expected 2·4·2 of 6·5.
    assert lips["agreement"] == pytest.approx(1 - 5 * 4 / 16)


def test_the_command_prints_and_writes_the_table(study, capsys):
    words = ["study", "analyse", *map(str, files(study)), "--key", str(study)]
    assert main([*words, "--json", str(study / "o.json"), "--markdown", str(study / "o.md")]) == 0
    text = capsys.readouterr().out
    assert "| ours | 66.7 (50.0 – 100.0) |" in text
    assert "| agreement (alpha) | -0.25 |" in text
    assert "3 participants, 2 clips, 6 answers" in text
    assert (study / "o.md").read_text() == text
    assert json.loads((study / "o.json").read_text())["questions"]["lips"]["shares"]["warp"]["shown"] == 6


def test_open_questions_are_passed_by(study):
    content = answered("dan", "c1", "d1")
    content["trials"][1]["answers"] = {}
    (study / "dan.json").write_text(json.dumps(content))
    assert len(read_votes([study / "dan.json"], KEY)) == 1
    content["trials"][0]["answers"] = {}
    (study / "dan.json").write_text(json.dumps(content))
    with pytest.raises(ReportError, match="there is no answer"):
        analyse(read_votes([study / "dan.json"], KEY), KEY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "x"}, "it is not a file of answers"),
        ({"study": "s2"}, "it answers study s2, and the key is of s1"),
        ({"participant": "ann"}, "ann has answered in ann.json as well"),
        ({"trials": [{"shown": ["c1", "zz"], "answers": {}}]}, "its answers are damaged"),
        ({"trials": [{"shown": ["c1", "d2"], "answers": {}}]}, "mixes clips"),
        ({"trials": [{"shown": ["c1", "c2"], "answers": {"lips": "d1"}}]}, "not one of those offered"),
        ({"trials": [{"shown": ["c1", "c2"], "answers": {"nose": "c1"}}]}, "not one of those offered"),
        ({"trials": 3}, "its answers are damaged"),
    ],
)
def test_answers_that_cannot_be_used_are_refused(study, change, message):
    (study / "dan.json").write_text(json.dumps(answered("dan", "c1", "d1") | change))
    with pytest.raises(ReportError, match=message):
        read_votes([study / "ann.json", study / "dan.json"], KEY)


def test_a_key_that_is_none_is_refused(study):
    with pytest.raises(ReportError, match="it is not the key of a study"):
        read_key(study / "ann.json")
