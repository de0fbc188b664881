from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from datamodules.datasets.decoded import ClipSpan, DecodedSet
from datamodules.datasets.film_pairs import FilmSet
from lightning_modules.errors import PreparedSetError


def film(spans, size=71):
    """Frames whose grey value is their number, with the face in the middle."""
    count = sum(count for count, _ in spans)
    planes = np.zeros((count, 1, size, size), np.uint8) + np.arange(count, dtype=np.uint8)[:, None, None, None]
    landmarks = np.random.default_rng(0).uniform(20, 50, (count, 68, 2)).astype(np.float32)
    starts = np.cumsum([0, *(count for count, _ in spans)])
    clips = [ClipSpan(int(start), count, scene) for start, (count, scene) in zip(starts, spans, strict=False)]
    return FilmSet(DecodedSet(planes, landmarks, clips, [f"clip {i}" for i in range(len(clips))]))


SPANS = ((3, "a"), (1, "b"), (4, "c"), (2, "c"))
SCENES = "aaabcccccc"


def test_adjacent_frames_are_neighbours_in_one_clip():
    clips = film(SPANS)
    pairs = [clips.adjacent_pair(np.random.default_rng(seed)) for seed in range(600)]
    assert set(pairs) == {(0, 1), (1, 2), (4, 5), (5, 6), (6, 7), (8, 9)}
    assert Counter(pairs)[8, 9] == pytest.approx(200, rel=0.25)  # each clip is as likely, whatever its length


def test_non_adjacent_frames_never_come_from_one_clip_nor_shot():
    clips = film(SPANS)
    pairs = {clips.non_adjacent_pair(np.random.default_rng(seed)) for seed in range(2000)}
    assert all(SCENES[one] != SCENES[other] for one, other in pairs)
    possible = {(i, j) for i in range(10) for j in range(10) if SCENES[i] != SCENES[j]}
    assert pairs == possible


@pytest.mark.parametrize("spans", [((5, "a"),), ((5, "a"), (3, "a"))])
def test_a_single_shot_is_refused(spans):
    with pytest.raises(PreparedSetError, match="pairs of different clips need two shots"):
        film(spans)


def test_single_frames_only_are_refused():
    with pytest.raises(PreparedSetError, match="no clip of two frames"):
        film(((1, "a"), (1, "b")))


def test_both_frames_get_the_same_crop_and_flip():
    clips = film(SPANS)
    ramp = np.broadcast_to(np.arange(71, dtype=np.uint8), (71, 71)) + np.arange(71, dtype=np.uint8)[:, None] * 2
    clips.decoded.planes[:] = ramp[None, None]
    flips = 0
    for seed in range(40):
        first, second = clips.cut((0, 1), np.random.default_rng(seed), 64)
        assert first.shape == (1, 64, 64)
        assert np.array_equal(first, second)
        flips += first[0, 0, 0] > first[0, 0, -1]
    assert 8 < flips < 32


def test_the_crop_holds_both_faces():
    clips = film(SPANS)
    clips.decoded.landmarks[0] = np.random.default_rng(1).uniform(2, 40, (68, 2))
    clips.decoded.landmarks[1] = np.random.default_rng(2).uniform(20, 62, (68, 2))
    spots = np.zeros_like(clips.decoded.planes)
    for frame in (0, 1):
        for x, y in np.rint(clips.decoded.landmarks[frame]).astype(int):
            spots[frame, 0, y, x] = 255
    clips.decoded.planes[:] = spots
    for seed in range(20):
        cut = clips.cut((0, 1), np.random.default_rng(seed), 64)
        assert [int(frame.sum()) for frame in cut] == [int(spots[i].sum()) for i in (0, 1)]
