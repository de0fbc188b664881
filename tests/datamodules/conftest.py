"""Folders of small photos, and the made-up backends that prepare them quickly, also in spawned processes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.prepare.photos import prepare_photos

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # spawned processes inherit the path and import the made-up backends by name
    sys.path.insert(0, HERE)


@pytest.fixture
def tools():
    from made_up_face_tools import make_made_up_tools

    return make_made_up_tools


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """A function that returns how often the analyzer was called so far, in whatever process."""
    file = tmp_path / "calls.txt"
    monkeypatch.setenv("CALLS", str(file))
    return lambda: len(file.read_text().splitlines()) if file.exists() else 0


@pytest.fixture(scope="session")
def small_astronaut(astronaut):
    return np.asarray(Image.fromarray(astronaut).resize((160, 160), Image.Resampling.BOX))


@pytest.fixture
def photo_folder(tmp_path, small_astronaut):
    """Seven photos in two folders with different terms, and things that are no photos."""
    root = tmp_path / "photos with spaces"
    terms = {
        "studio": "# Studio\nOrigin: a camera\nLicence: CC0 1.0. Taken by nobody.\n",
        "street": "Licence: CC BY 4.0\n",
    }
    for name, note in terms.items():
        (root / name / "deep").mkdir(parents=True)
        (root / name / "SOURCE.md").write_text(note, encoding="utf-8")
    picture = Image.fromarray(small_astronaut)
    for number in range(3):
        picture.rotate(4 * number).save(root / "studio" / f"still {number}.png")
    picture.convert("L").save(root / "street" / "deep" / "grey.jpg", quality=90)
    picture.resize((90, 120)).save(root / "street" / "größe.webp", lossless=True)
    two = Image.new("RGB", (320, 160))
    two.paste(picture, (0, 0))
    two.paste(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (160, 0))
    two.save(root / "street" / "two.png")
    picture.crop((0, 0, 130, 130)).save(root / "loose.PNG")
    (root / ".hidden").mkdir()
    picture.save(root / ".hidden" / "unseen.png")
    picture.save(root / "studio" / ".unseen.png")
    (root / "list.csv").write_text("a,b\n", encoding="utf-8")
    return root


@pytest.fixture
def tree():
    """A function that returns the content of all files below a folder by their names."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }

    return read


@pytest.fixture
def prepare(photo_folder, tmp_path, tools):
    """Prepare the folder of seven photos, in this process unless told otherwise."""

    def run(source=photo_folder, name="set", **options):
        options = {"size": 64, "workers": 0, "contact_sheets": False, "make_tools": tools, **options}
        return prepare_photos(source, tmp_path / name, **options)

    return run


@pytest.fixture(scope="session")
def make_record():
    from speech_records import made_up_record

    return made_up_record
