"""Cepstral coefficients against the same written as loops, and against numbers of python_speech_features 0.6."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.audio.cepstral import cepstral_coefficients

LIBRARY = (
    *(20.275032582820913, -9.561228795831491, -0.7730759546969564, -3.268840547395908),
    *(-1.146105015674707, -2.0862484172919973, -1.4225112960922865, -2.7932020519569845),
    *(-3.170168736075345, -4.096573948683597, -4.491232277486892, -5.979843589821426),
    *(-5.999507338870917,),
)


def by_loops(samples):
    """The published recipe, one window, band and coefficient at a time."""
    whole = np.round(samples * 32768)
    raised = np.array([whole[0], *(whole[i] - 0.97 * whole[i - 1] for i in range(1, len(whole)))])
    count = 1 if len(raised) <= 400 else 1 + int(np.ceil((len(raised) - 400) / 160))
    raised = np.concatenate([raised, np.zeros(count * 160 + 400)])

    def hertz(mel):
        return 700 * (10 ** (mel / 2595) - 1)

    top = 2595 * np.log10(1 + 8000 / 700)
    corner = [int(np.floor(513 * hertz(top * k / 27) / 16000)) for k in range(28)]
    rows = []
    for frame in range(count):
        window = raised[160 * frame : 160 * frame + 400]
        power = np.abs(np.fft.fft(window, 512)[:257]) ** 2 / 512
        heard = []
        for band in range(26):
            low, middle, high = corner[band : band + 3]
            energy = sum(power[k] * (k - low) / (middle - low) for k in range(low, middle))
            energy += sum(power[k] * (high - k) / (high - middle) for k in range(middle, high))
            heard.append(np.log(energy or np.finfo(float).eps))
        row = []
        for n in range(13):
            value = sum(heard[m] * np.cos(np.pi * n * (2 * m + 1) / 52) for m in range(26))
            value *= np.sqrt((1 if n == 0 else 2) / 26)
            row.append(value * (1 + 11 * np.sin(np.pi * n / 22)))
        row[0] = np.log(power.sum() or np.finfo(float).eps)
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize(("length", "steps"), [(1, 1), (400, 1), (401, 2), (560, 2), (561, 3), (1600, 9)])
def test_by_loops(length, steps):
    samples = np.random.default_rng(0).integers(-9000, 9000, length) / 32768
    samples[length // 2 :] = 0  # digital silence
    found = cepstral_coefficients(samples)
    assert found.shape == (steps, 13)
    np.testing.assert_allclose(found, by_loops(samples), rtol=1e-8, atol=1e-8)


def test_numbers_of_the_library_that_syncnet_was_trained_with():
    """``mfcc(x, 16000)`` of python_speech_features 0.6 for 25 ms of a sawtooth, computed with that library."""
    sawtooth = (np.arange(400) % 100 * 200 - 10000) / 32768
    np.testing.assert_allclose(cepstral_coefficients(sawtooth)[0], LIBRARY, rtol=1e-9)


def test_what_is_no_recording():
    with pytest.raises(ValueError, match="row of samples"):
        cepstral_coefficients(np.zeros(0))
    with pytest.raises(ValueError, match="finite"):
        cepstral_coefficients(np.array([0.0, np.nan]))
