"""The notebooks run from top to bottom in a fresh kernel, and show what their words promise."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """From the name of a notebook to what its code cells printed, and their pictures."""
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
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

    return execute


def test_a_first_drawing(run):
    said, (photo, portrait, frames) = run("a_first_drawing")
    assert said.startswith("1 face")
    assert "3.61 s of sound, 90 frames" in said
    assert photo.shape == (256, 256)
    assert portrait.shape == (6 + 274 + 6, 5 * 262 + 6)
    assert frames.shape == (2 * 280 + 6, 6 * 262 + 6)
    drawing = portrait[6:262, 3 * 262 + 6 : 4 * 262]
    assert 0.1 < (drawing < 64).mean() < 0.6
    assert (drawing > 192).mean() > 0.3


def test_one_training_step(run):
    said, (batch,) = run("one_training_step")
    for term in ("adversarial", "local", "content", "lip_line", "coherence_warp", "coherence"):
        assert f"{term} " in said
    assert (batch < 128).any()
    losses = [float(number) for number in said.splitlines()[-1].split()]
    assert losses == sorted(losses, reverse=True)
    for phase in ("drawing_loss", "coherence_loss"):
        line = next(line for line in said.splitlines() if line.startswith(phase))
        before, after = (float(word) for word in line.replace(",", "").split() if word[0].isdigit())
        assert after < before


def test_every_notebook_has_its_test():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == {"a_first_drawing", "one_training_step"}
