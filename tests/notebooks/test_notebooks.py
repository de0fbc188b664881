"""The notebooks run from top to bottom in a fresh kernel, and show what their words promise."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import av
import numpy as np
import pytest

from experiments.dashboards.sections import SECTIONS

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """From the name of a notebook to what its code cells printed, and their pictures."""
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.delenv("WANDB_SERVICE", raising=False)  # of an earlier test's W&B, which may be gone
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    import nbformat
    from nbclient import NotebookClient
    from PIL import Image

    def execute(name: str) -> tuple[str, list[np.ndarray]]:
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        nbformat.validate(notebook)
        place = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        assert not [output for output in outputs if output.get("name") == "stderr"]
        coded = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
        pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one))).convert("L")) for one in coded]
        return "".join(output.get("text", "") for output in outputs), pictures

    execute.folder = tmp_path
    return execute


def test_animate_a_photo(run):
    said, (photo, portrait, frames) = run("01_animate_a_photo")
    assert said.startswith("1 face")
    assert "3.61 s of sound, 90 frames" in said
    assert photo.shape == (256, 256)
    assert portrait.shape == (6 + 274 + 6, 5 * 262 + 6)
    assert frames.shape == (2 * 280 + 6, 6 * 262 + 6)
    drawing = portrait[6:262, 3 * 262 + 6 : 4 * 262]
    assert 0.1 < (drawing < 64).mean() < 0.6
    assert (drawing > 192).mean() > 0.3
    with av.open(run.folder / "talking.mp4") as video:
        assert video.streams.audio
        assert len(list(video.decode(video=0))) == 25


def test_one_training_step(run):
    said, pictures = run("02_one_training_step")
    batch, given, drawn, compared, pulls, judged = pictures
    shares = [int(word.removesuffix("%")) for line in said.splitlines() for word in line.split() if word.endswith("%")]
    assert len(shares) == 6
    assert sum(shares) == pytest.approx(100, abs=3)
    for term in ("adversarial", "local", "content", "lip_line", "coherence_warp", "coherence"):
        assert f"{term} " in said
    assert [picture.shape[1] for picture in pictures] == [5 * 134 + 6, 6 * 134 + 6, 542, 810, 810, 542]
    assert all((picture < 128).any() for picture in (batch, given, drawn, compared, pulls, judged))
    losses = [float(number) for number in said.splitlines()[-1].split()]
    assert losses == sorted(losses, reverse=True)
    for phase in ("drawing_loss", "coherence_loss"):
        line = next(line for line in said.splitlines() if line.startswith(phase))
        before, after = (float(word) for word in line.replace(",", "").split() if word[0].isdigit())
        assert after < before


def test_table_1_on_a_small_set(run):
    said, (film, compared) = run("03_table_1_on_a_small_set")
    summary = json.loads((run.folder / "table1" / "summary.json").read_text())
    assert set(summary["methods"]) == {"ours", "upd_warp"}
    assert summary["protocol"]["size"] == 128
    for method in summary["methods"]:
        figures = summary["average"][method]
        value = figures["lmd"]["value"]
        assert 0 < value < 10
        line = next(line for line in said.splitlines() if line.startswith("LMD"))
        assert f"{value:.3f}" in line
    assert film.shape == (2 * 262 + 6, 4 * 262 + 6)
    assert compared.shape == (2 * 216 + 6, 4 * 198 + 6)
    assert all((cell < 100).mean() > 0.05 for cell in np.split(compared[6:198, 204:-6], 3, axis=1))  # there is ink


def test_read_the_dashboard(run):
    said, pictures = run("04_read_the_dashboard")
    assert len(pictures) == 4 + 2  # four sections of curves, two sheets
    for section in SECTIONS:
        if section.title not in ("Pictures", "Tables"):
            assert f"{section.question} Stop: {section.stop}" in said
    assert "figures over 32 photos" in said
    assert "inter_frame_ssim/similarity" in said.splitlines()[-1] or "is better, after" in said.splitlines()[-1]
    assert list(run.folder.rglob("run-*.wandb"))


def test_every_notebook_has_its_test():
    names = {"01_animate_a_photo", "02_one_training_step", "03_table_1_on_a_small_set", "04_read_the_dashboard"}
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == names
