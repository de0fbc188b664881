"""White margins are outside of the photo."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lightning_modules.pipeline.portrait import prepare_portrait
from lightning_modules.pipeline.white_margins import inside_margins


def test_margins_by_hand() -> None:
    picture = np.full((8, 10, 3), 255, np.uint8)
    picture[2:7, 3:9] = 100
    picture[4, 5] = 255  # white inside stays
    inside = inside_margins(picture)
    assert inside[2:7, 3:9].min() == 255
    assert inside.sum() == 255 * 5 * 6


def test_nearly_white_is_margin_and_light_gray_is_not() -> None:
    picture = np.full((6, 6, 3), 251, np.uint8)
    picture[2:5, 2:5] = (255, 255, 240)
    assert inside_margins(picture).sum() == 255 * 9


def test_a_picture_without_margins_is_inside_as_a_whole() -> None:
    assert inside_margins(np.zeros((4, 4, 3), np.uint8)).min() == 255
    assert inside_margins(np.full((4, 4, 3), 255, np.uint8)).min() == 255


def test_the_edge_of_a_margin_is_not_drawn(photo: Any, face: Any, drawer: Any, matter: Any) -> None:
    framed = np.full_like(photo.rgb, 255)
    framed[60:260, 40:220] = 60
    portrait = prepare_portrait(replace(photo, rgb=framed), face, drawer=drawer, matter=matter, size=128)
    whole = prepare_portrait(replace(photo, rgb=np.full_like(framed, 60)), face, drawer=drawer, matter=matter, size=128)
    assert float(portrait.drawing[0, 0, 0].min()) == 1.0
    assert float(whole.drawing[0, 0, 0].max()) < 1.0
