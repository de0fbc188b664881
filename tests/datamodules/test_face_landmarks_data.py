"""Crops with landmarks from sets: the split, the looks, the samples and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from datamodules.datasets.labelled_faces import ARTIST_DRAWING, DOMAINS, PHOTO, STATIC_DRAWING
from datamodules.face_landmarks import FaceLandmarksDataModule, is_held_out
from datamodules.face_looks import LOOKS, damage, photo_light, stroke_weight
from datamodules.samplers import SampleAddress
from datamodules.synthetic.face_landmarks import SyntheticFaceLandmarksDataModule
from lightning_modules.errors import ConfigError
from lightning_modules.landmark_regression import LandmarkRegression


@pytest.fixture(scope="module")
def data() -> SyntheticFaceLandmarksDataModule:
    return SyntheticFaceLandmarksDataModule(photos=10, drawings=6, hold_out=0.4, batch_size=4)


def test_a_photo_and_its_drawing_are_on_one_side(data):
    kept, held = data.faces(held_out=False), data.faces(held_out=True)
    assert sorted([*kept.photo_items, *held.photo_items]) == [(0, record) for record in range(10)]
    assert sorted([*kept.drawing_items, *held.drawing_items]) == [(0, record) for record in range(6)]
    assert held.photo_items
    assert held.drawing_items
    samples, count = data.validation_samples()
    domains = [samples[SampleAddress(0, index)].domain for index in range(count)]
    assert domains.count(PHOTO) == domains.count(STATIC_DRAWING) == len(held.photo_items)
    assert domains.count(ARTIST_DRAWING) == len(held.drawing_items)


def test_the_split_follows_the_name_and_the_face():
    names = [f"photo {number}" for number in range(2000)]
    held = [is_held_out(name, 0.1) for name in names]
    assert 150 < sum(held) < 250
    assert not any(is_held_out(name, 0.0) for name in names)
    same = re.compile(r"(\d+)_(?:smiling|neutral)")
    for number in range(50):
        sides = {is_held_out(f"{number}_{look}-{look}", 0.3, same) for look in ("smiling", "neutral")}
        assert len(sides) == 1


def test_samples_are_a_function_of_their_address(data):
    samples, count = data.training_samples()
    assert count == len(samples)
    one, again = samples[SampleAddress(2, 1)], samples[SampleAddress(2, 1)]
    assert np.array_equal(one.crop, again.crop)
    assert np.array_equal(one.landmarks, again.landmarks)
    assert not np.array_equal(one.crop, samples[SampleAddress(3, 1)].crop)
    batch = data.collate([samples[SampleAddress(0, index)] for index in range(4)])
    assert batch.crop.shape == (4, 3, 112, 112)
    assert batch.landmarks.shape == (4, 68, 2)
    assert batch.crop.dtype == batch.landmarks.dtype == torch.float32
    assert 0 <= float(batch.crop.min()) < float(batch.crop.max()) <= 1
    assert 0.2 < float(batch.landmarks.mean()) < 0.8


def test_drawings_take_their_share():
    data = SyntheticFaceLandmarksDataModule(photos=20, drawings=3, hold_out=0.0, drawing_share=0.5)
    samples, count = data.training_samples()
    domains = [samples[SampleAddress(0, index)].domain for index in range(count)]
    assert domains.count(ARTIST_DRAWING) == count / 2 == 20


def test_looks_are_drawn_as_often_as_they_are_asked_for():
    data = SyntheticFaceLandmarksDataModule(photos=12, drawings=0, hold_out=0.0, looks={"photo": 1.0})
    samples, count = data.training_samples()
    assert {samples[SampleAddress(0, index)].domain for index in range(count)} == {PHOTO}


def test_looks_differ_and_stay_pictures():
    generator = np.random.default_rng(0)
    crop = np.repeat(np.repeat(generator.integers(0, 256, (14, 14, 3), np.uint8), 8, 0), 8, 1)
    drawn = {name: look(np.random.default_rng(1), crop) for name, look in LOOKS.items()}
    assert len({picture.tobytes() for picture in drawn.values()}) == len(LOOKS)
    for changed in (*drawn.values(), *(step(generator, crop) for step in (stroke_weight, photo_light, damage))):
        assert changed.shape == crop.shape
        assert changed.dtype == np.uint8


def test_domains_have_one_order():
    assert LandmarkRegression.domains == DOMAINS


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"hold_out": 1.0}, "hold_out 1.0"),
        ({"drawing_share": -0.1}, "drawing_share -0.1"),
        ({"same_face": "("}, "same_face is no pattern"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"photos": 0}, "0 photos"),
    ],
)
def test_wrong_settings_are_told_in_one_line(wrong, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        SyntheticFaceLandmarksDataModule(**wrong)


def test_no_set_and_no_face_are_told():
    with pytest.raises(ConfigError, match="no prepared set is named"):
        FaceLandmarksDataModule()
    data = SyntheticFaceLandmarksDataModule(photos=2, drawings=0, looks={"oil": 1.0})
    with pytest.raises(ConfigError, match="oil"):
        data.training_samples()
