"""Changes of tone: none where nothing is asked for, bounded, reproducible, and lines that do thicken."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.face_tones import ToneSettings, on_paper, printed, reinked, relit, sketched
from lightning_modules.errors import ConfigError

NONE = ToneSettings(0, 0, 0, 0, 0, 0, 0)
PHOTO = np.random.default_rng(0).random((40, 32, 3)).astype(np.float32)
LINES = np.ones((40, 32), np.float32)
LINES[20, 4:28] = 0
MATTE = np.zeros((40, 32), np.float32)
MATTE[10:30, 8:24] = 1


def random(seed=0):
    return np.random.default_rng(seed)


def test_nothing_asked_for_changes_nothing():
    for changed in (
        relit(random(), PHOTO, NONE),
        printed(random(), PHOTO, NONE),
        on_paper(random(), PHOTO, MATTE, NONE),
    ):
        assert np.abs(changed - PHOTO).max() < 1e-6
    assert np.abs(reinked(random(), LINES, NONE) - LINES).max() < 1e-6


def test_all_changes_stay_in_range_and_are_reproducible():
    much = ToneSettings(1, 0.5, 1, 1, 8, 1, 1)
    for seed in range(8):
        for picture, change in ((PHOTO, relit), (LINES, reinked), (PHOTO, printed), (LINES, printed)):
            changed = change(random(seed), picture, much)
            assert changed.dtype == np.float32
            assert changed.min() >= 0
            assert changed.max() <= 1
            assert np.array_equal(changed, change(random(seed), picture, much))


def test_paper_is_behind_the_person():
    always = ToneSettings(paper=1.0)
    tones = set()
    for seed in range(12):
        changed = on_paper(random(seed), PHOTO, MATTE, always)
        assert np.abs(changed - PHOTO)[MATTE == 1].max() < 1e-6
        behind = changed[MATTE == 0]
        assert np.ptp(behind, axis=0).max() < 1e-6
        tones.add(tuple(behind[0].tolist()))
        assert on_paper(random(seed), LINES, MATTE, always)[0, 0] >= 0.7
    assert (1.0, 1.0, 1.0) in tones
    assert len(tones) > 3


def test_lines_thicken_or_fade():
    ink = sorted(float((1 - reinked(random(seed), LINES, ToneSettings(light=0, line=1.0))).sum()) for seed in range(20))
    assert ink[0] < 0.7 * 24 < 24 < 1.5 * 24 < ink[-1] <= 2 * 24 + 2


def test_a_sketch_draws_what_is_dark():
    photo = np.full((40, 32, 3), 0.8, np.float32)
    photo[19:21, 4:28] = 0.2
    drawn = sketched(random(), photo)
    assert drawn.shape == (40, 32)
    assert drawn[19:21, 8:24].max() < 0.3
    assert drawn[:8].min() > 0.95


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ConfigError, match=r"grey 1\.5"):
        ToneSettings(grey=1.5)
