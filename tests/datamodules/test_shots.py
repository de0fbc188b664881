from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from datamodules.prepare.shots import Shot, find_cuts, find_shots

SIZE = (72, 128)


def scene(seed):
    """A picture of coarse shapes in colours of its own, wider than a frame so that it can be panned over."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (5, 12, 3)).astype(np.uint8)
    return cv2.resize(coarse, (3 * SIZE[1], SIZE[0]), interpolation=cv2.INTER_CUBIC)


def frame(picture, offset=0, *, light=1.0, noise=None):
    cut = picture[:, offset : offset + SIZE[1]].astype(np.float32) * light
    if noise is not None:
        cut += noise.normal(0, 5, cut.shape)
    return np.clip(cut, 0, 255).astype(np.uint8)


def film(lengths, *, speed=3, noise=True):
    generator = np.random.default_rng(0)
    frames = []
    for seed, length in enumerate(lengths):
        picture = scene(seed + 10)
        frames += [frame(picture, speed * k, noise=generator if noise else None) for k in range(length)]
    return frames


@pytest.mark.parametrize("lengths", [(12, 7, 20, 9), (30, 30), (4, 4, 4, 4), (25,)])
@pytest.mark.parametrize("speed", [0, 3])
def test_cuts_are_found_to_the_frame(lengths, speed):
    edges = np.cumsum([0, *lengths]).tolist()
    expected = [Shot(first, stop) for first, stop in itertools.pairwise(edges)]
    assert find_shots(film(lengths, speed=speed)) == expected


def test_films_of_five_shots():
    """96 of 96: every cut of 24 films, and not one more."""
    missed = wrong = 0
    for seed in range(24):
        generator = np.random.default_rng(seed)
        lengths = generator.integers(5, 15, 5)
        pictures = [scene(100 * seed + i) for i in range(5)]
        frames = [frame(p, 4 * k, noise=generator) for p, n in zip(pictures, lengths, strict=True) for k in range(n)]
        found = {shot.first for shot in find_shots(frames)} - {0}
        cuts = set(np.cumsum(lengths)[:-1].tolist())
        missed += len(cuts - found)
        wrong += len(found - cuts)
    assert (missed, wrong) == (0, 0)


def test_what_is_no_cut():
    picture = scene(1)
    pan = [frame(picture, 12 * k) for k in range(20)]
    lamp = [frame(picture, light=1.0 - 0.02 * k) for k in range(25)]
    noisy = [frame(picture, noise=np.random.default_rng(k)) for k in range(20)]
    moving = [frame(picture) for _ in range(20)]
    for k, still in enumerate(moving):  # somebody walks through
        cv2.ellipse(still, (6 * k, 40), (14, 30), 0, 0, 360, (200, 150, 120), -1)
    for frames in (pan, lamp, noisy, moving):
        assert find_shots(frames) == [Shot(0, len(frames))]


def test_a_held_or_empty_film():
    assert find_shots([frame(scene(1))] * 5) == [Shot(0, 5)]
    assert find_shots([frame(scene(1))]) == [Shot(0, 1)]
    assert find_shots([]) == []
    black = np.zeros((*SIZE, 3), np.uint8)
    assert find_shots([black] * 4) == [Shot(0, 4)]


def test_a_cut_must_stand_out():
    restless = [0.4, 0.45, 0.42, 0.5, 0.44, 0.41, 0.46]
    assert find_cuts(restless) == []
    assert find_cuts([*restless, 0.9, *restless]) == [8]
    assert find_cuts([0.01, 0.02, 0.3, 0.01]) == []
    assert find_cuts([0.01, 0.02, 0.4, 0.01]) == [3]
