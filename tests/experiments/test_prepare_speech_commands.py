"""The prepare speech-… commands: what they hand on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.__main__ import main


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    from datamodules.prepare import speech_from_curves

    seen: list[tuple] = []

    def record(*settings, **options):
        options.pop("progress")(1, 1, "")
        seen.append((*settings, options))
        return SimpleNamespace(rejected=(), accepted=1, interrupted=False, summary=lambda: "1 of 1")

    monkeypatch.setattr(speech_from_curves, "prepare_curves", record)
    return seen


def test_choices_for_curves_are_handed_on(calls, capsys):
    words = ["--identities", "3", "--spread", "0.5", "--lag", "0", "--voice", "ann", "--seed", "7", "--licence", "CC0"]
    words += ["--face-model", "face.npz", "--workers", "0", "--limit", "2", "--no-embedding", "--quiet"]
    assert main(["prepare", "speech-curves", "~/takes", "out", *words]) == 0
    source, destination, model, settings, options = calls[0]
    assert source == Path("~/takes").expanduser()
    assert (destination, model) == (Path("out"), Path("face.npz"))
    assert (settings.identities, settings.spread, settings.lag, settings.voice, settings.seed) == (3, 0.5, 0, "ann", 7)
    assert not settings.embedding
    assert options == {"licence": "CC0", "workers": 0, "limit": 2}
    assert "1 of 1" in capsys.readouterr().out


def test_defaults_are_those_of_the_settings(calls):
    from datamodules.prepare.speech_from_curves import CurveSettings

    main(["prepare", "speech-curves", "in", "out", "--face-model", "face.npz", "--quiet"])
    assert calls[0][3] == CurveSettings()


def test_a_face_model_is_needed(capsys):
    assert main(["prepare", "speech-curves", "in", "out"]) == 2
    assert "face" in capsys.readouterr().err
