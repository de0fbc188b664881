"""From a function to its command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal

import pytest

from experiments.signature_parser import Option, command_parser, explain_parsing_error, read_docstring


def cook(
    dishes: list[str],
    *,
    heat: float = 1.5,
    spice: Literal["mild", "hot"] = "mild",
    portion: Literal["all"] | int = "all",
    recipe: Path | None = None,
    sides: list[str] = [],  # noqa: B006
    salt: bool = True,
    side_plate: bool = False,
    note: Literal["auto"] | Path | None = None,
    debug: bool = False,
) -> int:
    """Cook the dishes.

    Slowly,
    and well.

    Args:
        dishes: what to cook
        heat: how hot
        spice: which
            sauce
        note: where to write
        salt: add salt, or not

    Returns:
        0.

    Example:
        inkspeak cook soup
        inkspeak cook "a b" --heat 2
    """
    return 0


OPTIONS = {"heat": Option(short="-t", group="stove"), "note": Option(bare="auto"), "dishes": Option(metavar="DISH")}


def parse(*words: str) -> dict:
    return vars(command_parser(cook, "cook", OPTIONS).parse_args(list(words)))


def test_defaults_are_those_of_the_signature():
    assert parse("soup") == {
        "dishes": ["soup"],
        "heat": 1.5,
        "spice": "mild",
        "portion": "all",
        "recipe": None,
        "sides": [],
        "salt": True,
        "side_plate": False,
        "note": None,
        "debug": False,
    }


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--heat", "3"], "heat", 3.0),
        (["-t", "3"], "heat", 3.0),
        (["--heat=3e-1"], "heat", 0.3),
        (["--portion", "2"], "portion", 2),
        (["--portion", "all"], "portion", "all"),
        (["--recipe", "a b/ü.txt"], "recipe", Path("a b/ü.txt")),
        (["--no-salt"], "salt", False),
        (["--salt"], "salt", True),
        (["--side-plate"], "side_plate", True),
        (["--sides", "rice", "peas"], "sides", ["rice", "peas"]),
        (["--note"], "note", "auto"),
        (["--note", "n.txt"], "note", Path("n.txt")),
        (["--note", "auto"], "note", "auto"),
    ],
)
def test_words_become_typed_values(words, name, value):
    result = parse("soup", *words)[name]
    assert result == value
    assert type(result) is type(value)


def test_many_or_no_positional_words():
    assert parse("a", "b", "c")["dishes"] == ["a", "b", "c"]
    assert parse()["dishes"] == []


def test_values_in_lists_of_defaults_are_not_shared():
    parse("soup", "--sides", "rice")
    assert parse("soup")["sides"] == []


def test_a_list_stands_in_place_of_its_default_and_adds_when_it_is_given_again():
    def serve(*, sides: list[str] = ["bread"], debug: bool = False) -> int:  # noqa: B006
        """Serve.

        Args:
            sides: what comes along
        """
        return 0

    parser = command_parser(serve, name="inkspeak serve")
    assert parser.parse_args([]).sides == ["bread"]
    assert parser.parse_args(["--sides", "bread"]).sides == ["bread"]
    assert parser.parse_args(["--sides", "peas", "rice", "--sides", "tea"]).sides == ["peas", "rice", "tea"]
    assert parser.parse_args([]).sides == ["bread"]


def test_help_shows_text_default_group_and_example():
    parser = command_parser(cook, "cook", OPTIONS)
    text = parser.format_help()
    assert text.startswith("usage: inkspeak cook DISH [options]\n\nCook the dishes.\n\nSlowly,\nand well.\n")
    assert "stove: -t X, --heat X how hot (default: 1.5)" in " ".join(text.split())
    assert "--spice {mild,hot}" in text
    assert "which sauce (default: mild)" in text
    assert text.endswith('\nexample:\n  inkspeak cook soup\n  inkspeak cook "a b" --heat 2\n')
    assert "no-side-plate" not in text


def test_docstring_parts():
    text = read_docstring(cook)
    assert text.summary == "Cook the dishes."
    assert text.arguments["spice"] == "which sauce"
    assert text.example.splitlines() == ["inkspeak cook soup", 'inkspeak cook "a b" --heat 2']


@pytest.mark.parametrize(
    ("words", "found", "remedy"),
    [
        (["--heat", "very"], "--heat is 'very'", "give a number"),
        (["--spice", "odd"], "--spice is 'odd'", "give 'mild' or 'hot'"),
        (["--portion", "x"], "--portion is 'x'", "give 'all' or a whole number"),
        (["--portion", "1.5"], "--portion is '1.5'", "give 'all' or a whole number"),
        (["--hat", "1"], "there is no option --hat", "did you mean --heat?"),
        (["--zzzzzz"], "there is no option --zzzzzz", "see inkspeak cook --help"),
        (["--recipe"], "--recipe: expected one argument", "see inkspeak cook --help"),
    ],
)
def test_complaints_become_one_sentence(words, found, remedy):
    parser = command_parser(cook, "cook", OPTIONS)
    with pytest.raises(argparse.ArgumentError) as caught:
        parser.parse_args(["soup", *words])
    error = explain_parsing_error(str(caught.value), cook, parser, "cook")
    assert (error.found, error.remedy) == (found, remedy)


def test_a_complaint_of_unknown_form_is_kept_on_one_line():
    error = explain_parsing_error("Something\n  quite new.", cook, command_parser(cook, "cook"), "cook")
    assert str(error) == "Something quite new; see inkspeak cook --help"
