"""Stage 1 against recorded and synthetic motion: the trained driver, the envelope driver and a mouth that stays still.

Every record of a prepared set has the true landmarks with the head's pose taken out. The drivers hear its sound and
move its static face, with head and blinks still, at 62.5 frames a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_modules.errors import ConfigError
from lightning_modules.metrics.speech_motion import best_lag, closures_reached, lip_error, opening_correlation

if TYPE_CHECKING:
    from datamodules.prepare.speech_record import SpeechRecord
    from datamodules.prepare.speech_set import SpeechEntry
    from lightning_modules.pipeline.animation_job import LandmarkSource
    from lightning_modules.pipeline.landmark_driver_choice import Driver

RATE: Final = 62.5
EYES: Final = 100.0
"""The faces' outer-eye distance in the pixels in which the drivers work."""

Grouping = Literal["set", "voice", "face", "sentence"]
STILL: Final = "static mouth"

_DETECTED_EVERY: Final = 5


@dataclass(frozen=True)
class Measures:
    """What is measured of a driver on some records.

    Attributes:
        lip_error: mean distance of lip points, percent of the eye distance.
        lmd: the same, each mouth centred on its own mean.
        correlation: of the openings, mean over the records; None for a still mouth.
        lag: median over the records, frames at 25 a second; positive if the mouth is late; None for a still mouth.
        lag_range: least and largest lag.
        closures_reached: bilabial closures that were reached.
        closures: those that are labelled.
    """

    lip_error: float
    lmd: float
    correlation: float | None
    lag: float | None
    lag_range: tuple[int, int] | None
    closures_reached: int
    closures: int


def chosen_entries(
    entries: Sequence[SpeechEntry], patterns: Mapping[str, Sequence[str]], most: int
) -> list[SpeechEntry]:
    """Choose records.

    Args:
        entries: of a set.
        patterns: voice, face or sentence to patterns with ``*``; a record fits if for each one of them does.
        most: at most so many, evenly from all.
    """
    fitting = [
        entry
        for entry in entries
        if all(
            any(fnmatchcase(getattr(entry, axis), one) for one in given) for axis, given in patterns.items() if given
        )
    ]
    places = np.linspace(0, len(fitting) - 1, min(most, len(fitting))).round().astype(int)
    return [fitting[place] for place in dict.fromkeys(places.tolist())]


def driven(driver: Driver, record: SpeechRecord) -> NDArray[np.float64]:
    """What a driver makes of a record: (T, 68, 3) face units, a frame for each feature frame."""
    from datamodules.prepare.speech_features import as_float
    from lightning_modules.audio.loading import Speech

    track = driver.drive(Speech(as_float(record.samples)), record.static * EYES, RATE).landmarks / EYES
    count = len(record)
    # round(N / 256) frames are one fewer than N // 256 + 1, or as many.
    return np.concatenate([track, np.repeat(track[-1:], max(count - len(track), 0), axis=0)])[:count].astype(np.float64)


def measure(found: NDArray[np.floating], record: SpeechRecord) -> dict[str, Any]:
    """Measures of one track, plain values."""
    import torch

    from lightning_modules.metrics.lip_landmark_distance import lip_landmark_distance

    truth = record.registered
    reached, labelled = closures_reached(found, record.closures, RATE)
    distances = lip_landmark_distance(torch.from_numpy(np.asarray(found)).double(), torch.from_numpy(truth).double())
    return {
        "frames": len(record),
        "lip_error": lip_error(found, truth),
        "lmd": float(distances.eye_percent[0]),
        "correlation": opening_correlation(found, truth),
        "lag": best_lag(found, truth, RATE),
        "closures_reached": reached,
        "closures": labelled,
    }


def combined(rows: Sequence[Mapping[str, Any]]) -> Measures:
    """Measures over several records: errors weighted by frames, correlations and lags by records.

    Args:
        rows: from :func:`measure`, at least one.
    """
    weights = np.array([row["frames"] for row in rows], np.float64)

    def mean(name: str) -> float:
        return float(np.average([row[name] for row in rows], weights=weights))

    correlations = [row["correlation"] for row in rows if row["correlation"] is not None]
    lags = [row["lag"] for row in rows if row["lag"] is not None]
    return Measures(
        lip_error=mean("lip_error"),
        lmd=mean("lmd"),
        correlation=float(np.mean(correlations)) if correlations else None,
        lag=float(np.median(lags)) if lags else None,
        lag_range=(min(lags), max(lags)) if lags else None,
        closures_reached=sum(row["closures_reached"] for row in rows),
        closures=sum(row["closures"] for row in rows),
    )


def evaluate_set(
    folder: Path,
    drivers: Mapping[str, Driver],
    *,
    patterns: Mapping[str, Sequence[str]],
    by: Grouping,
    most: int,
    advance: Callable[[int], None] = lambda _: None,
    begin: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure drivers on the records of a prepared set.

    Args:
        folder: the set.
        drivers: by the names under which they are shown.
        patterns: see :func:`chosen_entries`.
        by: what the records are grouped by.
        most: records measured at most.
        advance: told of each record.
        begin: told how many records there are.

    Returns:
        ``records`` (how many), ``synthetic``, and ``groups``: name -> driver -> its :class:`Measures` as plain values.

    Raises:
        PreparedSetError: there is no such set, or a record is damaged.
        ConfigError: no record fits.
    """
    from dataclasses import asdict

    from datamodules.prepare.speech_set import read_speech, speech_entries

    entries = chosen_entries(speech_entries(folder), patterns, most)
    if not entries:
        raise ConfigError(f"no record of {folder} fits what is asked for", "loosen --voice, --face or --sentence")
    begin(len(entries))
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for entry in entries:
        record = read_speech(entry.folder)
        group = folder.name if by == "set" else getattr(entry, by)
        tracks = {name: driven(driver, record) for name, driver in drivers.items()}
        tracks[STILL] = np.repeat(record.static[None].astype(np.float64), len(record), axis=0)
        for name, track in tracks.items():
            rows.setdefault(group, {}).setdefault(name, []).append(measure(track, record))
        advance(1)
    groups = {
        group: {name: asdict(combined(found)) for name, found in by_driver.items()} for group, by_driver in rows.items()
    }
    return {"records": len(entries), "synthetic": entries[0].synthetic, "groups": groups}


def detector_noise(video: Path, finder: LandmarkSource = "mediapipe") -> dict[str, float]:
    """What the detector that measured real clips adds by itself: how far it disagrees with itself on mirrored frames.

    Both answers have the detector's error, so the disagreement is divided by the square root of 2. A driver cannot be
    seen to be better than that.

    Args:
        video: a clip with a face; every fifth frame is looked at.
        finder: the face backend.

    Returns:
        ``lip_error`` and ``lmd`` in percent of the eye distance, and ``frames``.

    Raises:
        VideoError: the clip cannot be read.
        ConfigError: no face is found in it.
    """
    import torch

    from lightning_modules.faces.face_analyzers import make_face_analyzer
    from lightning_modules.geometry.landmark_groups import mirror_landmarks
    from lightning_modules.metrics.lip_landmark_distance import lip_landmark_distance
    from lightning_modules.pipeline.video_reader import VideoReader

    analyzer = make_face_analyzer(finder)
    ours, mirrored = [], []
    with VideoReader(video) as reader:
        for number, picture in enumerate(reader.frames()):
            if number % _DETECTED_EVERY:
                continue
            found = analyzer.find_faces(picture)
            again = analyzer.find_faces(np.ascontiguousarray(picture[:, ::-1]))
            if found and again:
                ours.append(_by_the_eyes(found[0].landmarks))
                mirrored.append(_by_the_eyes(mirror_landmarks(again[0].landmarks, picture.shape[1])))
    if not ours:
        raise ConfigError(f"no face is found in {video}", "give clips that show a face")
    one, other = np.stack(ours), np.stack(mirrored)
    distances = lip_landmark_distance(torch.from_numpy(one), torch.from_numpy(other))
    share = 2.0**-0.5
    return {
        "lip_error": share * lip_error(one, other),
        "lmd": share * float(distances.eye_percent[0]),
        "frames": float(len(one)),
    }


def _by_the_eyes(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Landmarks of a frame with the eye corners upright, midway at 0 and 1 apart: (68, 2)."""
    points = landmarks[:, :2].astype(np.float64)
    across = points[45] - points[36]
    turn = np.array([[across[0], across[1]], [-across[1], across[0]]]) / float(across @ across)
    upright: NDArray[np.float64] = (points - 0.5 * (points[36] + points[45])) @ turn.T
    return upright
