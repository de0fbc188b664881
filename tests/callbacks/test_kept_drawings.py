"""Pictures of fixed portraits: which are written, and that they are what was photographed, asked for and drawn."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from callbacks.kept_drawings import KeptDrawings
from datamodules.synthetic.portraits import SyntheticPortraitsDataModule
from lightning_modules.batches import PortraitBatch
from lightning_modules.errors import ConfigError


@pytest.fixture(scope="module")
def batches() -> list[PortraitBatch]:
    data = SyntheticPortraitsDataModule(
        image_size=64, photos=5, clips=2, clip_frames=2, batch_size=2, validation_photos=4
    )
    data.setup()
    return list(data.val_dataloader())


def trainer(**changes: bool) -> SimpleNamespace:
    return SimpleNamespace(**({"sanity_checking": False, "is_global_zero": True} | changes))


def show(callback: KeptDrawings, batches: list[PortraitBatch], **changes: bool) -> None:
    callback.on_validation_start(trainer(), None)
    for index, batch in enumerate(batches):
        frames = torch.full((len(batch), 2, 1, 64, 64), 1.0)
        frames[:, 0, :, :10] = -1.0  # black lines at the top of the first drawing
        frames[:, 1, :, :5] = -1.0
        callback.on_validation_batch_end(trainer(**changes), None, {"frames": frames}, batch, index)


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_the_first_portraits_are_written_over_batches(tmp_path: Path, batches: list[PortraitBatch]) -> None:
    show(KeptDrawings(str(tmp_path), portraits=3), batches)
    kinds = ("change", "drawing", "landmarks", "photo")
    names = [f"{number:03d}_{kind}.png" for number in range(3) for kind in kinds]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    photo = (batches[1].photo[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(picture(tmp_path / "002_photo.png") - photo).max() <= 1
    drawing = picture(tmp_path / "001_drawing.png")
    assert (drawing[:10] == 0).all()
    assert (drawing[10:] == 255).all()
    change = picture(tmp_path / "001_change.png")
    assert (change[5:10] == 0).all()
    assert (np.delete(change, range(5, 10), axis=0) == 255).all()
    target = picture(tmp_path / "000_landmarks.png")
    x, y = np.round(batches[0].target_landmarks[0, 0, 30].numpy()).astype(int)  # tip of the nose
    assert (target[y - 1 : y + 2, x - 1 : x + 2] != 255).any()


@pytest.mark.parametrize("changes", [{"sanity_checking": True}, {"is_global_zero": False}])
def test_nothing_is_written_elsewhere(tmp_path: Path, batches: list[PortraitBatch], changes: dict[str, bool]) -> None:
    show(KeptDrawings(str(tmp_path / "none")), batches, **changes)
    assert not (tmp_path / "none").exists()


def test_every_validation_starts_again(tmp_path: Path, batches: list[PortraitBatch]) -> None:
    callback = KeptDrawings(str(tmp_path), portraits=1)
    show(callback, batches[:1])
    first = picture(tmp_path / "000_photo.png")
    show(callback, batches[1:])
    assert (picture(tmp_path / "000_photo.png") != first).any()


def test_what_is_no_portrait_and_no_number_is_refused(tmp_path: Path) -> None:
    callback = KeptDrawings(str(tmp_path))
    with pytest.raises(TypeError, match="needs batches of PortraitBatch, got int"):
        callback.on_validation_batch_end(trainer(), None, {}, 3, 0)
    with pytest.raises(ConfigError, match="0 portraits"):
        KeptDrawings(str(tmp_path), portraits=0)
