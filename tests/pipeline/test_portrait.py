"""A photo's constants: where things lie, what is drawn behind the head, what the cache gives back."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_modules.errors import WeightsError
from lightning_modules.geometry.alignment import portrait_frame
from lightning_modules.pipeline.portrait import Portrait, image_array, image_tensor, prepare_portrait
from lightning_modules.pipeline.portrait_cache import load_portrait, portrait_key, store_portrait

PICTURES = ("photo", "drawing", "background", "mask", "matte")


def test_shapes_and_eight_bit_levels(portrait: Portrait) -> None:
    assert portrait.photo.shape == (1, 3, 128, 128)
    assert portrait.drawing.shape == portrait.mask.shape == portrait.matte.shape == (1, 1, 256, 256)
    assert portrait.background.shape == (1, 1, 128, 128)
    for name in PICTURES:
        picture = getattr(portrait, name)
        assert picture.min() >= 0
        assert picture.max() <= 1
        assert torch.allclose(picture * 255, (picture * 255).round(), atol=1e-4), name


def test_landmarks_are_in_crop_pixels(portrait: Portrait, face: Any) -> None:
    frame = portrait_frame(face.landmarks)
    by_hand = (face.landmarks[:, :2] - [frame.left, frame.top] + 0.5) * 128 / frame.side - 0.5
    assert np.allclose(portrait.landmarks[:, :2].numpy(), by_hand, atol=1e-3)


def test_the_head_is_gone_from_the_background(portrait: Portrait) -> None:
    middle = (slice(None), slice(None), slice(50, 78), slice(50, 78))
    assert portrait.drawing[..., 100:156, 100:156].min() < 0.1  # the dark disc is in the drawing ...
    assert portrait.background[middle].min() > 0.6  # ... and its ghost is not in the background


def test_nothing_is_drawn_outside_the_photo(photo: Any, face: Any, drawer: Any, matter: Any) -> None:
    dark = replace(photo, rgb=np.full_like(photo.rgb[90:240, 70:190], 60))
    moved = type(face)(face.box, face.landmarks - np.float32([70, 90, 0]), 1.0)
    portrait = prepare_portrait(dark, moved, drawer=drawer, matter=matter, size=128)
    assert portrait.frame.left < 0
    assert portrait.drawing[..., :, 0].min() == 1.0
    assert abs(float(portrait.drawing[0, 0, 128, 128]) - 60 / 255) < 2e-3


def test_a_matte_that_misses_the_face_is_not_used_and_that_is_said(photo: Any, face: Any, drawer: Any) -> None:
    class LeftHalf:
        name = "left half"

        def matte(self, rgb: Any) -> Any:
            return np.broadcast_to(np.arange(rgb.shape[1]) < rgb.shape[1] / 2, rgb.shape[:2]).astype(np.float32)

    portrait = prepare_portrait(photo, face, drawer=drawer, matter=LeftHalf(), size=128)
    assert portrait.mask.min() == portrait.matte.min() == 1.0
    (note,) = portrait.notes
    assert re.match(r"the matte counts (4\d|5\d)% of the face as person", note)


def test_the_cache_keeps_what_is_said(portrait: Portrait, tmp_path: Path) -> None:
    assert portrait.notes == ()
    store_portrait(replace(portrait, notes=("one", "two")), tmp_path, "key")
    found = load_portrait(tmp_path, "key")
    assert found is not None
    assert found.notes == ("one", "two")


def test_uint8_round_trip() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert np.array_equal(image_array(image_tensor(image))[0], image)
    assert image_array(torch.tensor([[[[-1.0, 0.5, 2.0]]]])).ravel().tolist() == [0, 128, 255]


def test_the_cache_gives_back_the_same_bits(portrait: Portrait, tmp_path: Path) -> None:
    key = portrait_key("0" * 64, {"size": 128})
    store_portrait(portrait, tmp_path / "new", key)
    found = load_portrait(tmp_path / "new", key)
    assert found is not None
    assert (found.size, found.detail, found.frame) == (portrait.size, portrait.detail, portrait.frame)
    for name in (*PICTURES, "landmarks"):
        assert torch.equal(getattr(found, name), getattr(portrait, name)), name
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"{key}.safetensors"]


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"x" * 64])
def test_a_damaged_entry_is_not_used(portrait: Portrait, tmp_path: Path, damage: Any) -> None:
    key = portrait_key("0" * 64, {})
    path = store_portrait(portrait, tmp_path, key)
    path.write_bytes(damage(path.read_bytes()))
    assert load_portrait(tmp_path, key) is None


def test_the_key_follows_content_and_settings() -> None:
    keys = {
        portrait_key("a" * 64, {"size": 256}),
        portrait_key("b" * 64, {"size": 256}),
        portrait_key("a" * 64, {"size": 512}),
        portrait_key("a" * 64, {"size": 256, "matte": "none"}),
    }
    assert len(keys) == 4
    assert portrait_key("a" * 64, {"x": 1, "y": 2}) == portrait_key("a" * 64, {"y": 2, "x": 1})


class _Refusing:
    """A drawer that refuses one of the two drawings of a portrait."""

    name, channels = "refusing", 1

    def __init__(self, *, behind: bool) -> None:
        self.behind = behind

    def draw(self, photo: torch.Tensor, *, landmarks: Any = None, matte: Any = None) -> torch.Tensor:
        if (landmarks is None) is self.behind:
            raise WeightsError("the drawing cannot be made", "take another drawer")
        return photo.mean(1, keepdim=True)


@pytest.mark.parametrize("behind", [False, True])
def test_what_stops_either_of_the_two_drawings_is_told(photo: Any, face: Any, matter: Any, *, behind: bool) -> None:
    running = threading.active_count()
    with pytest.raises(WeightsError, match="the drawing cannot be made"):
        prepare_portrait(photo, face, drawer=_Refusing(behind=behind), matter=matter, size=128)
    assert threading.active_count() == running
