"""The best of each figure, kept over validations and over a restart."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from callbacks.best_figures import BestFigures
from lightning_modules.errors import ConfigError


def validated(callback, folder, seen, **figures):
    callback._folder = folder
    named = {name.replace("__", "/"): torch.tensor(value) for name, value in figures.items()}
    run = SimpleNamespace(sanity_checking=False, is_global_zero=True, callback_metrics=named, loggers=[])
    callback.on_validation_end(run, SimpleNamespace(photos_seen=seen))


def test_the_good_end_wins_and_what_has_none_is_left_out(tmp_path):
    callback = BestFigures()
    validated(
        callback, tmp_path, 10, drawings__fid=50.0, inter_frame_ssim__similarity=0.8, inter_frame_ssim__motion=0.1
    )
    validated(callback, tmp_path, 20, drawings__fid=40.0, inter_frame_ssim__similarity=0.7, validation__content=1.0)
    validated(callback, tmp_path, 30, drawings__fid=45.0, inter_frame_ssim__similarity=float("nan"))
    found = json.loads((tmp_path / "best.json").read_text())
    assert found["drawings/fid"] == {"value": 40.0, "seen": 20, "better": "lower"}
    assert found["inter_frame_ssim/similarity"]["seen"] == 10
    assert found["validation/content"]["seen"] == 20
    assert set(found) == {"drawings/fid", "inter_frame_ssim/similarity", "validation/content"}


def test_a_restart_remembers(tmp_path):
    first, second = BestFigures(), BestFigures()
    validated(first, tmp_path, 10, drawings__fid=40.0)
    second.load_state_dict(first.state_dict())
    validated(second, tmp_path, 20, drawings__fid=41.0)
    assert second.best["drawings/fid"]["seen"] == 10


def test_own_figures_and_their_good_end(tmp_path):
    callback = BestFigures({"mine": "higher"})
    assert callback.good_end("mine") == "higher"
    assert callback.good_end("validation/classifier_accuracy") == "higher"
    assert callback.good_end("validation/end_point_error") == "lower"
    assert callback.good_end("validation/ink") is None
    assert callback.good_end("raw/content") is None
    with pytest.raises(ConfigError, match="good end"):
        BestFigures({"mine": "up"})


def test_a_folder_that_cannot_be_written_is_warned_of(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match=r"best.json could not be written"):
        validated(BestFigures(), tmp_path / "file", 1, drawings__fid=1.0)
