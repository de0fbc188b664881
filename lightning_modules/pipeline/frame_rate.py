"""Frame rates without rounding: every rate is a fraction, so that the millionth frame still lies where it belongs."""

from __future__ import annotations

import math
from fractions import Fraction

from lightning_modules.errors import ConfigError

SLOWEST, FASTEST = 1, 240
"""Frame rates that can be written, in frames per second."""

_BROADCAST = tuple(Fraction(base * 1000, 1001) for base in (12, 15, 24, 30, 48, 60, 90, 120, 240))
_SPOKEN_TOLERANCE = Fraction(5, 1000)  # "23.98" is said for 24000/1001 = 23.976


def exact_frame_rate(fps: float | str | Fraction) -> Fraction:
    """Turn a frame rate as people write it into the fraction that is meant.

    29.97, 23.976, 23.98, 59.94 … mean the broadcast rates 30000/1001, 24000/1001, 60000/1001; any other number is
    taken as it stands, up to denominators of 1001: 25, 62.5 = 125/2, 33.333333 = 100/3.

    Args:
        fps: frames per second, a number, a fraction or text such as ``"25"`` or ``"30000/1001"``.

    Raises:
        ConfigError: not a number, or outside 1–240.
    """
    try:
        rate = Fraction(fps if isinstance(fps, (str, Fraction)) else float(fps))
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        raise _refusal(fps) from None
    if not SLOWEST <= rate <= FASTEST:
        raise _refusal(fps)
    if isinstance(fps, Fraction) or rate.denominator == 1:
        return rate
    for broadcast in _BROADCAST:
        if abs(rate - broadcast) < _SPOKEN_TOLERANCE:
            return broadcast
    return rate.limit_denominator(1001)


def frame_count(duration: float | Fraction, fps: float | str | Fraction) -> int:
    """Number of frames that last as long as a sound: ``duration × fps``, halves rounded up, at least one.

    Args:
        duration: length of the sound in seconds.
        fps: frames per second, see :func:`exact_frame_rate`.
    """
    exact = duration if isinstance(duration, Fraction) else Fraction(float(duration))
    return max(1, math.floor(exact * exact_frame_rate(fps) + Fraction(1, 2)))


def _refusal(fps: object) -> ConfigError:
    return ConfigError(
        f"the frame rate is '{fps}'",
        f"give a number from {SLOWEST} to {FASTEST} frames per second, for example 25",
    )
