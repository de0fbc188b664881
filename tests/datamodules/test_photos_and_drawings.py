"""Photos and drawings that do not belong together: styles, augmentation, what is kept out, resume."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.datasets.decoded import DecodedSet
from datamodules.datasets.drawings import DrawingSet
from datamodules.datasets.photos import PhotoSet
from datamodules.datasets.photos_and_drawings import UnpairedSamples, UnpairedSets
from datamodules.photos_and_drawings import PhotosAndDrawingsDataModule, style_folder
from datamodules.samplers import SampleAddress
from datamodules.synthetic.photos_and_drawings import SyntheticPhotosAndDrawingsDataModule
from lightning_modules.errors import ConfigError, PreparedSetError

LOADED, SIZE = 72, 64  # 286 / 256


def numbered(count: int, planes: int, first: int = 0) -> DecodedSet:
    """Pictures whose every pixel tells their number and, in the last three planes, their column."""
    values = np.zeros((count, planes, LOADED, LOADED), np.uint8)
    values[:, :-3] = (first + np.arange(count))[:, None, None, None]
    values[:, -3:] = np.arange(LOADED)
    names = [f"{first + number:02d}" for number in range(count)]
    return DecodedSet(values, np.zeros((count, 68, 2), np.float32), (), names)


def domains() -> UnpairedSets:
    """Photos 0 to 4 in two sets; drawings 0 to 11, of styles 0 (two), 1 (eight) and of none (two)."""
    photos = [PhotoSet(numbered(3, 8), 1), PhotoSet(numbered(2, 8, first=3), 1)]
    return UnpairedSets(photos, DrawingSet(numbered(12, 4)), [0, 0, *[1] * 8, -1, -1])


def number_of(picture: torch.Tensor) -> int:
    return round(float((picture.mean() + 1) * 127.5))


def test_every_style_comes_equally_often_and_with_its_own_drawings() -> None:
    samples = UnpairedSamples(domains(), SIZE, [0, 2, 4], [[0, 1], list(range(2, 10))], seed=1)
    seen = Counter()
    for cycle in range(100):
        for index in range(3):
            sample = samples[SampleAddress(cycle, index)]
            assert number_of(sample.photo) == (0, 2, 4)[index]
            drawing, label = number_of(sample.drawing), int(sample.label)
            assert (drawing < 2) == (label == 0)
            assert drawing < 10
            seen[label] += 1
    assert seen[0] / 300 == pytest.approx(0.5, abs=0.08)


def test_masks_are_cut_and_mirrored_with_their_picture() -> None:
    samples = UnpairedSamples(domains(), SIZE, [0], [[0]], seed=0)
    starts, flips = set(), 0
    for cycle in range(60):
        sample = samples[SampleAddress(cycle, 0)]
        for masks in (sample.photo_masks, sample.drawing_masks):
            columns = (masks[0, 0] * 255).round().long()
            step = int(columns[1] - columns[0])
            assert torch.equal(columns, columns[0] + step * torch.arange(SIZE))
            starts.add(int(columns.min()))
            flips += step < 0
    # Crops hold the face window, columns 11 to 61 of 72: all nine places do.
    assert starts == set(range(LOADED - SIZE + 1))
    assert flips / 120 == pytest.approx(0.5, abs=0.15)


def test_a_sample_is_its_address() -> None:
    sets = domains()
    first, again = (UnpairedSamples(sets, SIZE, [0, 1], [[0], [2, 3]], seed=7) for _ in range(2))
    again[SampleAddress(0, 1)]
    one, other = first[SampleAddress(3, 0)], again[SampleAddress(3, 0)]
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    fixed = UnpairedSamples(sets, SIZE, [0, 1, 3, 4], [[0], [2, 3]], augment=False)
    told = [fixed[SampleAddress(0, index)] for index in range(4)]
    assert [int(sample.label) for sample in told] == [0, 1, 0, 1]
    assert [number_of(sample.drawing) for sample in told] == [0, 2, 0, 3]
    assert [number_of(sample.photo) for sample in told] == [0, 1, 3, 4]


def synthetic(**options: object) -> SyntheticPhotosAndDrawingsDataModule:
    given = {"image_size": 64, "photos": 6, "drawings": 4, "validation_photos": 2, "validation_drawings": 1}
    return SyntheticPhotosAndDrawingsDataModule(**(given | {"batch_size": 2} | options))


def test_the_synthetic_styles_differ_in_ink_and_batches_have_the_promised_shapes() -> None:
    data = synthetic()
    (batch, *_) = iter(data.train_dataloader())
    assert batch.photo.shape == batch.photo_masks.shape == batch.drawing_masks.shape == (2, 3, 64, 64)
    assert batch.drawing.shape == (2, 1, 64, 64)
    assert batch.label.dtype == torch.int64
    assert batch.photo.min() >= -1
    assert batch.photo_masks.max() == 1
    ink = 255 - data.sets.drawings.decoded.planes[:, 0].astype(float)
    fine, bold = ink[:4].mean(), ink[4:].mean()
    assert bold > 1.5 * fine
    assert len(data.train_dataloader()) == 2
    kept = list(synthetic(batch_size=1).val_dataloader())
    assert [len(one.photo) for one in kept] == [2], "one batch, so that a sheet shows more than one sample"
    assert torch.equal(kept[0].photo, next(iter(data.val_dataloader())).photo)


def test_what_is_kept_out_is_not_trained_on() -> None:
    data = synthetic()
    training, kept = data.samples(training=True), data.samples(training=False)
    assert not set(training._photos) & set(kept._photos)
    assert not {number for style in training._drawings for number in style} & {n for s in kept._drawings for n in s}
    assert [len(style) for style in training._drawings] == [3, 3]
    with pytest.raises(ConfigError, match="4 of the 4 drawings of style 1"):
        synthetic(validation_drawings=4).samples(training=True)
    with pytest.raises(ConfigError, match="6 of 6 photos"):
        synthetic(validation_photos=6).samples(training=True)
    with pytest.raises(ConfigError, match="image_size is 100"):
        synthetic(image_size=100)


def test_the_data_go_on_where_they_stopped() -> None:
    whole = synthetic()
    expected = [batch for _ in range(3) for batch in whole.train_dataloader()]
    first = synthetic()
    next(iter(first.train_dataloader()))
    second = synthetic()
    second.load_state_dict(first.state_dict())
    going_on = next(iter(second.train_dataloader()))
    assert all(torch.equal(a, b) for a, b in zip(going_on, expected[1], strict=True))


def test_a_style_is_the_topmost_folder() -> None:
    assert style_folder("gibson/18/1_0.png") == "gibson"
    assert style_folder("1_0.png") == ""


def test_folders_become_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": f"{number}", "source": {"name": name}} for number, name in enumerate(("a/x", "b/y", "c/z", "b/v"))]
    monkeypatch.setattr("datamodules.photos_and_drawings.read_manifest", lambda _: rows)
    names = [row["id"] for row in rows]
    assert PhotosAndDrawingsDataModule("p", "d", ["b", "a"])._labels(names) == [1, 0, -1, 0]
    assert PhotosAndDrawingsDataModule("p", "d")._labels(names) == [0, 0, 0, 0]
    with pytest.raises(PreparedSetError, match=r"no drawing of the style 'e'.*b \(2\), a \(1\), c \(1\)"):
        PhotosAndDrawingsDataModule("p", "d", ["b", "e"])._labels(names)
    with pytest.raises(ConfigError, match="name each of them once"):
        PhotosAndDrawingsDataModule("p", "d", ["b", "b"])


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(PreparedSetError):
        PhotosAndDrawingsDataModule(str(tmp_path / "photos"), str(tmp_path / "drawings")).prepare_data()
