"""Photos with mattes: what is held out, what augmentation keeps together, trimaps by hand, a prepared set."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from prepared_synthetic_sets import write_photos

from datamodules.matting_augmentation import (
    MattingAugmentation,
    band_widths,
    before_background,
    cut_out,
    in_another_light,
    trimap_of,
)
from datamodules.portrait_mattes import PortraitMattes
from datamodules.samplers import SampleAddress
from datamodules.synthetic.portrait_mattes import SyntheticPortraitMattes
from lightning_modules.errors import ConfigError


def random_numbers(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_photo_and_matte_are_cut_together():
    matte = cv2.resize(random_numbers().random((8, 8)).astype(np.float32), (72, 72))
    photo = np.repeat(matte[..., None], 3, 2)
    settings = MattingAugmentation(smallest_cut=0.5)
    seen = set()
    for seed in range(6):
        cut, its_matte = cut_out(random_numbers(seed), photo, matte, settings, 64)
        assert cut.shape == (64, 64, 3)
        np.testing.assert_allclose(cut[..., 1], its_matte, atol=1e-6)
        seen.add(its_matte.tobytes())
    assert len(seen) == 6


def test_nothing_changes_where_nothing_is_to():
    photo, matte = random_numbers().random((64, 64, 3), np.float32), random_numbers(1).random((64, 64), np.float32)
    settings = MattingAugmentation(smallest_cut=1.0, flip=False, colour=0, background=0)
    cut, its_matte = cut_out(random_numbers(), photo, matte, settings, 64)
    assert np.array_equal(cut, photo)
    assert np.array_equal(its_matte, matte)
    assert np.array_equal(in_another_light(random_numbers(), photo, 0), photo)


def test_a_new_background_leaves_no_halo_of_the_old_one():
    matte = np.clip((np.arange(64) - 24) / 12, 0, 1).astype(np.float32)[None].repeat(64, 0)
    person, old, new = (np.array(colour, np.float32) for colour in ((0.8, 0.4, 0.2), (0, 1, 0), (0.1, 0.2, 0.9)))
    photo = person * matte[..., None] + old * (1 - matte[..., None])
    other_matte = np.zeros((64, 64), np.float32)
    other_matte[20:44, 20:44] = 1
    other = np.where(other_matte[..., None] > 0, person[::-1], new)  # somebody in the middle of it
    made = before_background(photo, matte, other.astype(np.float32), other_matte)
    np.testing.assert_allclose(made, person * matte[..., None] + new * (1 - matte[..., None]), atol=0.02)


def test_light_changes_and_stays_in_range():
    photo = random_numbers().random((16, 16, 3), np.float32)
    made = in_another_light(random_numbers(3), photo, 0.3)
    assert made.min() >= 0
    assert made.max() <= 1
    assert 0.01 < np.abs(made - photo).mean() < 0.3


def test_a_trimap_by_hand():
    matte = np.repeat(np.array([0, 0, 0, 0, 0, 0.5, 1, 1, 1, 1], np.float32)[None], 10, 0)
    row = trimap_of(matte, inside=1, outside=2)[4].tolist()
    assert row == [0, 0, 0, 0.5, 0.5, 0.5, 0.5, 1, 1, 1]
    assert np.all(trimap_of(np.ones((8, 8), np.float32), 3, 3) == 1)  # the frame's border erodes nothing
    assert band_widths(None, 256) == (7, 7)  # the middle of 2 to 13
    widths = {band_widths(random_numbers(seed), 256) for seed in range(300)}
    assert {width for pair in widths for width in pair} == set(range(2, 14))


def test_an_address_is_a_sample():
    def data(seed: int = 0) -> SyntheticPortraitMattes:
        return SyntheticPortraitMattes(
            photos=6, image_size=64, hold_out=0.3, seed=seed, augmentation=MattingAugmentation(background=1.0)
        )

    one, other = data().training_samples()[0], data().training_samples()[0]
    for address in (SampleAddress(0, 0), SampleAddress(1, 0), SampleAddress(0, 2)):
        for a, b in zip(one[address], other[address], strict=True):
            assert np.array_equal(a, b)
    assert not np.array_equal(one[SampleAddress(0, 0)].photo, one[SampleAddress(1, 0)].photo)
    assert not np.array_equal(one[SampleAddress(0, 0)].photo, data(1).training_samples()[0][SampleAddress(0, 0)].photo)


def test_a_batch_is_what_the_network_wants():
    batch = next(iter(SyntheticPortraitMattes(photos=4, image_size=64, batch_size=3, hold_out=0).train_dataloader()))
    assert batch.photo.shape == (3, 3, 64, 64)
    assert batch.matte.shape == batch.trimap.shape == (3, 1, 64, 64)
    assert batch.photo.min() >= -1
    assert batch.photo.max() <= 1
    assert set(batch.trimap.unique().tolist()) == {0.0, 0.5, 1.0}
    known = batch.trimap != 0.5
    assert torch.all((batch.matte - batch.trimap).abs()[known] <= 0.05 + 1e-6)


def test_held_out_photos_are_not_trained_on():
    data = SyntheticPortraitMattes(photos=40, image_size=64, hold_out=0.25, most_validation=5)
    assert len(data.split.validation) == 5
    assert not set(data.split.training) & set(data.split.validation)
    assert 20 < len(data.split.training) < 38
    assert data.split == SyntheticPortraitMattes(photos=40, image_size=64, hold_out=0.25, most_validation=5).split


def test_a_person_is_held_out_whole():
    data = SyntheticPortraitMattes(photos=60, image_size=64, hold_out=0.4, same_person=r"photo \d(\d)\d")
    persons = [{data.photos[0].names[index][-2] for _, index in part} for part in data.split]
    assert not persons[0] & persons[1]
    assert persons[0] | persons[1] == set("012345")


def test_a_prepared_set_is_read(tmp_path):
    folder = write_photos(tmp_path / "set", 5)
    data = PortraitMattes([str(folder)], image_size=64, hold_out=0, workers=0, cache=str(tmp_path / "cache"))
    samples, size = data.training_samples()
    assert size == 5
    sample = samples[SampleAddress(0, 1)]
    assert sample.photo.shape == (64, 64, 3)
    assert sample.matte[40, 32] > 0.9
    assert sample.matte[2, 2] < 0.1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"image_size": 250}, "side is 250"),
        ({"hold_out": 1.0}, "hold_out 1.0"),
        ({"same_person": "("}, "no regular expression"),
        ({"same_person": "abc"}, "has 0 groups"),
        ({"photos": 0}, "0 photos"),
    ],
)
def test_what_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        SyntheticPortraitMattes(**wrong)


def test_no_photos_are_refused():
    with pytest.raises(ConfigError, match="no prepared set"):
        PortraitMattes([])
    with pytest.raises(ConfigError, match="smallest_cut 0"):
        MattingAugmentation(smallest_cut=0)
