"""The prepare drawings and prepare film commands: what they hand on, and their exit codes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.__main__ import main
from lightning_modules.errors import VideoError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    from datamodules.prepare import drawings, film

    seen: list[tuple] = []

    def record(source, destination, *settings, **options):
        seen.append((source, destination, *settings, options))
        options.pop("progress")(1, 1, "")
        if source.name == "none":
            raise VideoError("holds no film", "name another", source)
        rejected = (SimpleNamespace(source="shot 3", text="no face found"),)
        return SimpleNamespace(
            rejected=rejected, accepted=source.name != "empty", interrupted=False, summary=lambda: "1 of 2"
        )

    monkeypatch.setattr(drawings, "prepare_drawings", record)
    monkeypatch.setattr(film, "prepare_film", record)
    return seen


def test_choices_for_drawings_are_handed_on(calls, capsys):
    words = [
        "--size",
        "256",
        "--channels",
        "3",
        "--face",
        "2",
        "--most-turn",
        "30",
        "--licence",
        "CC0",
        "--workers",
        "0",
    ]
    assert main(["prepare", "drawings", "~/in", "out", *words, "--limit", "5", "--no-contact-sheets", "--quiet"]) == 0
    assert calls == [
        (
            Path.home() / "in",
            Path("out"),
            {
                "size": 256,
                "channels": 3,
                "face": 2,
                "landmarks": "mediapipe",
                "most_turn": 30.0,
                "licence": "CC0",
                "workers": 0,
                "limit": 5,
                "contact_sheets": False,
            },
        )
    ]
    assert capsys.readouterr().out == "rejected: shot 3: no face found\n1 of 2\n"


def test_choices_for_film_are_handed_on(calls):
    from datamodules.prepare.film import FilmSettings

    words = ["--size", "128", "--no-lines", "--channels", "3", "--shortest", "3", "--longest", "9", "--matte", "none"]
    assert main(["prepare", "film", "in", "out", *words, "--look", "pencil", "--quiet"]) == 0
    settings = FilmSettings(128, lines=False, channels=3, shortest=3, longest=9, matte="none", look="pencil")
    assert calls[0][2] == settings
    assert calls[0][3] == {"licence": None, "workers": None, "limit": None, "contact_sheets": True}


def test_the_defaults_of_the_commands_are_those_of_the_settings(calls):
    from datamodules.prepare.drawings import DrawingSettings
    from datamodules.prepare.film import FilmSettings

    main(["prepare", "film", "in", "out", "--quiet"])
    main(["prepare", "drawings", "in", "out", "--quiet"])
    assert calls[0][2] == FilmSettings()
    plain = DrawingSettings()
    assert {name: calls[1][2][name] for name in ("size", "channels", "face", "landmarks", "most_turn")} == {
        "size": plain.size,
        "channels": plain.channels,
        "face": plain.face,
        "landmarks": plain.landmarks,
        "most_turn": plain.most_turn,
    }


@pytest.mark.parametrize("kind", ["drawings", "film"])
def test_an_empty_set_and_an_error_end_with_2(calls, kind, capsys):
    assert main(["prepare", kind, "empty", "out", "--quiet"]) == 2
    assert main(["prepare", kind, "none", "out", "--quiet"]) == 2
    assert "holds no film; name another" in capsys.readouterr().err
