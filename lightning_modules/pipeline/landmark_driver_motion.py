"""What the branches say of a whole recording, in bounded memory: displacements in face units at the output frames."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_modules.audio.prosody import Spans
from lightning_modules.export.landmark_model_file import LandmarkModel
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, OUTER_LIP_PAIRS
from lightning_modules.geometry.smoothing import smooth_track
from lightning_modules.networks.speaker_branch import EMBEDDING_SCALE, SpeakerBranch
from lightning_modules.networks.speech_windows import WINDOW
from lightning_modules.pipeline.landmark_driver_hearing import PADDING, Heard

FEATURE_RATE = 62.5
FRACTIONS = 4
"""Features are read at quarters of a frame."""

LOW_PASS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""Weights over feature frames of what the content branch says: 5 Hz keeps 88 %, 8 Hz 72 %, 12.5 Hz 43 %, 25 Hz 1 %."""

CLOSING_SECONDS, OPENING_SECONDS = 0.12, 0.10
"""How long the mouth takes to close after a pause began, and to be free again before it ends."""

SEGMENT, OVERLAP = 512, 128
"""Frames of a segment of the speaker-aware branch, and how many of them neighbours share."""

HEAD_STEP = 2
"""The speaker-aware branch is asked at every second frame, 31.25 times a second: heads are slow."""

HEAD_WINDOW = 15
"""Its smoothing: half a second, as published (31 frames at the full rate)."""

MOST_REFERENCES = 64
LIP_MERGE = 0.99

_FRAMES_AT_ONCE = 1024
_LEAST_REFERENCES = 4
_WITHIN_PAUSE_SECONDS = 0.05


def content_motion(
    model: LandmarkModel, heard: Heard, static: NDArray[np.floating], times: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The content branch at some times, measured against its answer to the recording's pauses, 0 in long ones.

    The branch is asked at every feature frame and what it says is smoothed before it is read at ``times``. Read at the
    frames of a film only, what is faster than half its rate would come back as trembling lips.

    Args:
        model: with the branch.
        heard: the recording.
        static: (68, 3) the face with closed lips, face units.
        times: (N,) seconds, ascending, from 0 to the recording's length.

    Returns:
        (N, 68, 3) displacements, face units.
    """
    face = torch.from_numpy(np.ascontiguousarray(static, np.float32).reshape(204))
    share = model.training.gains.pauses
    reference = share * closed_reference(model, heard, face) if share else torch.zeros(204)
    free = speaking(heard.prosody.pauses, times, (len(heard.features) - PADDING) / FEATURE_RATE)
    moved = np.empty((len(times), 68, 3), np.float32)
    for start in range(0, len(times), _FRAMES_AT_ONCE):
        part = slice(start, start + _FRAMES_AT_ONCE)
        said = smooth_content_at(model, heard, face, times[part]) - reference
        moved[part] = said.numpy().reshape(-1, 68, 3) * free[part, None, None]
    return moved


def smooth_content_at(model: LandmarkModel, heard: Heard, face: Tensor, times: NDArray[np.float64]) -> Tensor:
    """The content branch's answer, smoothed over feature frames by :data:`LOW_PASS` and read between them.

    Args:
        model: with the branch.
        heard: the recording.
        face: (204,) float32 the static face.
        times: (N,) seconds, ascending, from 0 to the recording's length.

    Returns:
        (N, 204) float32.
    """
    reach, places = len(LOW_PASS) // 2, times * FEATURE_RATE
    first, last = int(places[0]), int(places[-1]) + 1
    ends = 0, len(heard.features) - PADDING  # the first answer and the last are held
    asked = np.arange(max(first - reach, ends[0]), max(min(last + reach, ends[1]), ends[0]) + 1)
    said = content_at(model, heard, face, asked / FEATURE_RATE)
    smoothed = torch.zeros(last - first + 1, 204)
    for offset, weight in zip(range(-reach, reach + 1), LOW_PASS, strict=True):
        here = np.clip(np.arange(first + offset, last + offset + 1) - asked[0], 0, len(asked) - 1)
        smoothed += weight * said[torch.from_numpy(here)]
    before = torch.from_numpy(places.astype(np.int64) - first)
    share = torch.from_numpy((places - places.astype(np.int64)).astype(np.float32))[:, None]
    return smoothed[before] + share * (smoothed[before + 1] - smoothed[before])


def content_at(model: LandmarkModel, heard: Heard, face: Tensor, times: NDArray[np.float64]) -> Tensor:
    """The content branch's own answer at some times.

    Args:
        model: with the branch.
        heard: the recording.
        face: (204,) float32 the static face.
        times: (N,) seconds, from 0 to the recording's length.

    Returns:
        (N, 204) float32.
    """
    quarters = np.rint(times * (FEATURE_RATE * FRACTIONS)).astype(np.int64)
    frames, rests = quarters // FRACTIONS, quarters % FRACTIONS
    said = torch.empty(len(times), 204)
    branch = model.content_branch
    for rest in np.unique(rests):
        here = np.flatnonzero(rests == rest)
        first, last = int(frames[here].min()), int(frames[here].max())
        seen = heard.stretch(first - branch.past, last + branch.future + 2)
        share = np.float32(rest / FRACTIONS)
        between = seen[:-1] if rest == 0 else (1 - share) * seen[:-1] + share * seen[1:]
        wanted = torch.from_numpy(frames[here] - first)
        said[torch.from_numpy(here)] = branch.displacements(torch.from_numpy(between), face, wanted)
    return said


def closed_reference(model: LandmarkModel, heard: Heard, face: Tensor) -> Tensor:
    """What the content branch says of a closed mouth: (204,) its mean answer within the recording's pauses.

    Up to 64 frames are asked, evenly from all pauses; speech is further than 0.05 s from what the branch hears of them,
    or, for a branch that hears more than the published one, from 0.28 s on both sides of them. A recording without such
    pauses is measured against silence.

    Args:
        model: with the branch.
        heard: the recording.
        face: (204,) float32 the static face.
    """
    length = (len(heard.features) - PADDING) / FEATURE_RATE
    branch = model.content_branch
    before = _WITHIN_PAUSE_SECONDS + min(branch.past, WINDOW - 1) / FEATURE_RATE
    after = _WITHIN_PAUSE_SECONDS + min(branch.future + 1, WINDOW) / FEATURE_RATE
    inside = [
        np.arange(start + before, end - after, 1.0 / FEATURE_RATE)
        for start, end in heard.prosody.pauses
        if start < length
    ]
    times = np.concatenate([np.empty(0), *inside])
    times = times[(times >= 0.0) & (times < length)]
    if len(times) < _LEAST_REFERENCES:
        windows = np.broadcast_to(heard.silence, (1, branch.window, heard.features.shape[1])).copy()
    else:
        chosen = np.unique(np.linspace(0, len(times) - 1, min(MOST_REFERENCES, len(times))).astype(np.int64))
        frames = np.rint(times[chosen] * FEATURE_RATE).astype(np.int64)
        windows = np.stack([heard.stretch(frame - branch.past, frame + branch.future + 1) for frame in frames.tolist()])
    with torch.no_grad():
        said: Tensor = branch(torch.from_numpy(windows), face[None])
    return said.mean(dim=0)


def speaking(pauses: Spans, times: NDArray[np.float64], length: float) -> NDArray[np.float32]:
    """How free the mouth is: (N,) 1 in speech, 0 within pauses, with raised-cosine flanks inside the pauses.

    Args:
        pauses: (start, end) in seconds, ascending. Short ones close the mouth only in part.
        times: (N,) seconds, ascending.
        length: of the recording in seconds; pauses at its very start and end have no flank there.
    """
    free = np.ones(len(times), np.float32)
    for start, end in pauses:
        first, last = np.searchsorted(times, [start, end])
        since, until = times[first:last] - start, end - times[first:last]
        falling = np.zeros(last - first) if start <= 0.0 else _flank(since / CLOSING_SECONDS)
        rising = np.zeros(last - first) if end >= length - 0.02 else _flank(until / OPENING_SECONDS)
        free[first:last] = np.maximum(falling, rising)
    if pauses and pauses[-1][1] >= length - 0.02:
        free[np.searchsorted(times, pauses[-1][1]) :] = 0.0
    return free


def _flank(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    flank: NDArray[np.float64] = 0.5 + 0.5 * np.cos(np.pi * np.clip(phase, 0.0, 1.0))
    return flank


def speaker_motion(
    moved: NDArray[np.float32], model: LandmarkModel, heard: Heard, times: NDArray[np.float64], gain: float
) -> None:
    """Add the speaker-aware branch's head motion and manner, about the photo's own pose.

    Args:
        moved: (N, 68, 3) displacements in face units; changed in place.
        model: with the branch.
        heard: the recording with its speaker.
        times: (N,) seconds.
        gain: what the motion is multiplied by.

    Raises:
        ValueError: model or recording have no speaker.
    """
    if model.speaker_branch is None or heard.embedding is None:
        raise ValueError("there is no speaker-aware branch, or nobody who speaks")
    voice = EMBEDDING_SCALE * torch.from_numpy(np.array(heard.embedding, np.float32))
    said = segments_faded(model.speaker_branch, heard.features, voice)
    merge_lips(said)
    said -= said.mean(axis=0, keepdims=True)
    places = times * (FEATURE_RATE / HEAD_STEP)
    before = np.minimum(places.astype(np.int64), max(len(said) - 2, 0))
    after = np.minimum(before + 1, len(said) - 1)
    share = np.clip(places - before, 0.0, 1.0).astype(np.float32)[:, None]
    for point in range(68):
        track = said[:, point] if len(said) <= HEAD_WINDOW else smooth_track(said[:, point], HEAD_WINDOW, 3)
        moved[:, point] += np.float32(gain) * (track[before] + share * (track[after] - track[before]))


def segments_faded(
    branch: SpeakerBranch, features: NDArray[np.float32], scaled_embedding: Tensor
) -> NDArray[np.float32]:
    """The speaker-aware branch over a whole recording, segment by segment, faded into each other by raised cosines.

    Args:
        branch: in eval mode.
        features: (T + 20, 80), ending in silence.
        scaled_embedding: (256,).

    Returns:
        (G, 68, 3) for the frames 0, 2, 4, ... of the recording.
    """
    frames = np.arange(0, len(features) - PADDING + 1, HEAD_STEP)
    length = min(SEGMENT, branch.longest) // HEAD_STEP
    shared = min(OVERLAP // HEAD_STEP, length // 2)
    said = np.zeros((len(frames), 204), np.float32)
    fade = (0.5 - 0.5 * np.cos(np.pi * (np.arange(shared) + 0.5) / shared)).astype(np.float32)[:, None]
    for start in range(0, max(len(frames) - shared, 1), length - shared):
        here = frames[start : start + length]
        seen = torch.from_numpy(features[here[0] : here[-1] + WINDOW])
        made = branch.displacements(seen, scaled_embedding, torch.from_numpy(here - here[0])).numpy()
        if start:
            said[start : start + shared] *= 1.0 - fade[: len(made)]
            made[:shared] *= fade[: len(made)]
        said[start : start + len(made)] += made
    return said.reshape(-1, 68, 3)


def merge_lips(moved: NDArray[np.floating], share: float = LIP_MERGE) -> None:
    """Take the mouth's opening out of a motion, in place: upper and lower lips move by their mean (reference §7.2).

    Args:
        moved: (..., 68, 3) displacements.
        share: of the mean; the rest is each lip's own.
    """
    for upper, lower in (*OUTER_LIP_PAIRS, *INNER_LIP_PAIRS):
        mean = 0.5 * (moved[..., upper, :] + moved[..., lower, :])
        for point in (upper, lower):
            moved[..., point, :] = share * mean + (1.0 - share) * moved[..., point, :]
