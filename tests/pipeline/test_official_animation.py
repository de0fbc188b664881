"""From published checkpoints to a talking drawing in the published order: import, then animate, with random weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import av
import numpy as np
import pytest
from published_folder import RELATIVE, write_published

from experiments.__main__ import main
from experiments.demo import DEMO_PHOTO
from lightning_modules.weights.weight_sets import weights_folder

SECONDS = 1.4  # the published post-processing needs a little over one
needs_resemblyzer = pytest.mark.skipif(
    importlib.util.find_spec("resemblyzer") is None, reason="the speaker encoder's weights are not installed"
)


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A rising and falling vowel."""
    import soundfile

    time = np.arange(int(SECONDS * 16000)) / 16000
    phase = 2 * np.pi * np.cumsum(180 + 40 * np.sin(2 * np.pi * 1.5 * time)) / 16000
    samples = sum(np.sin(k * phase) / k for k in range(1, 8)) * (0.55 + 0.45 * np.sin(2 * np.pi * 3 * time))
    soundfile.write(tmp_path / "speech.wav", 0.2 * samples / np.abs(samples).max(), 16000)
    return tmp_path / "speech.wav"


def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as video:
        return np.stack([frame.to_ndarray(format="gray") for frame in video.decode(video=0)])


def animated(speech: Path, folder: Path, *words: str) -> tuple[np.ndarray, int]:
    output = folder / "drawn.mp4"
    command = ["animate", str(DEMO_PHOTO), str(speech), "-o", str(output), "--fps", "2", "--weights", "official"]
    code = main([*command, *words])
    return frames_of(output), code


@pytest.fixture
def small_set(tmp_path: Path) -> None:
    """The set official of small networks, as the command makes it."""
    roles = set(RELATIVE) - {"identity_features", "landmark_detector", "cartoon_generator"}
    write_published(tmp_path / "published", full=False, roles=roles)
    assert main(["weights", "import", str(tmp_path / "published"), "--quiet"]) == 0
    assert [folder.name for folder in weights_folder().iterdir()] == ["official"]


@needs_resemblyzer
@pytest.mark.usefixtures("small_set")
def test_a_small_set_draws_in_the_published_order(speech, tmp_path, capsys):
    official, code = animated(speech, tmp_path, "--compat", "official")
    assert code == 0
    shown = capsys.readouterr().err
    assert "driver: trained (the networks of the set 'official', preset paper)" in shown
    assert "the published frame rate is 62.5" in shown
    assert "has no" not in shown
    assert official.shape == (3, 256, 256)
    assert not np.array_equal(official[0], official[-1]), "it moves"


@pytest.mark.slow
@needs_resemblyzer
@pytest.mark.usefixtures("small_set")
def test_other_orders_of_work_around_the_same_set(speech, tmp_path):
    official, _ = animated(speech, tmp_path, "--compat", "official", "--quiet")
    again, _ = animated(speech, tmp_path, "--compat", "official", "--quiet")
    assert np.array_equal(again, official), "the cached portrait gives the same"
    usual, code = animated(speech, tmp_path, "--quiet")
    assert code == 0
    assert np.abs(usual.astype(float) - official).mean() > 1.0, "the order of work makes a difference"
    warped, code = animated(speech, tmp_path, "--renderer", "warp", "--driver", "envelope", "--quiet")
    assert code == 0
    assert warped.shape == (3, 256, 256)


@pytest.mark.slow
@needs_resemblyzer
def test_the_full_published_shapes_draw_in_the_published_order(speech, tmp_path, capsys):
    write_published(tmp_path / "published", full=True)
    assert main(["weights", "import", str(tmp_path / "published"), "--quiet"]) == 0
    capsys.readouterr()
    drawn, code = animated(speech, tmp_path, "--compat", "official")
    assert code == 0
    assert "has no" not in capsys.readouterr().err
    assert drawn.shape == (3, 256, 256)
    assert not np.array_equal(drawn[0], drawn[-1])
