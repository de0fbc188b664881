"""One shot of a film made into a clip: which frames show the same face, in which common crop, drawn with lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from datamodules.prepare.crop_pictures import LUMINANCE
from datamodules.prepare.drawn_faces import SHOWINGS, find_drawn_faces
from lightning_modules.faces.face import Face, FaceAnalyzer
from lightning_modules.geometry.alignment import PortraitFrame, crop, face_extent, portrait_frame
from lightning_modules.geometry.smoothing import smooth_track

if TYPE_CHECKING:
    from lightning_modules.drawing.drawer import StaticDrawer
    from lightning_modules.faces.matter import Matter

Landmarks = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

SAME_FACE: Final = 0.4
"""Smallest overlap (area of intersection over union) of the boxes of one face in neighbouring frames."""

FASTEST: Final = 0.15
"""Largest mean movement of the landmarks from frame to frame, shares of the face's size: more is another face."""

LEAST_CONTRAST: Final = 0.05
"""Faces whose luminance (0 to 1) has a smaller standard deviation are too dark or too pale to be drawn."""

FASTEST_FADE: Final = 0.15
"""Largest change of that contrast from frame to frame, shares of itself: more is a fade, a dissolve or a flash."""

MOST_ROOM: Final = 1.35
"""A clip's common crop is at most this many times as wide as the crop of a single frame of it."""

SMOOTHING: Final = (5, 2)
"""Window and order of the Savitzky-Golay smoothing of the landmarks over time."""

FaceFinder = Callable[[Iterable[Pixels]], Iterable[list[Face]]]


@dataclass(frozen=True)
class Run:
    """Consecutive frames that show one face.

    Attributes:
        first: number of the first frame, counted from where the search began.
        landmarks: (T, 68, 3) film pixels, as detected.
    """

    first: int
    landmarks: Landmarks

    def __len__(self) -> int:
        return len(self.landmarks)


def faces_in_frames(frames: Iterable[Pixels], analyzer: FaceAnalyzer, *, drawn: bool) -> Iterator[list[Face]]:
    """Find the faces of each frame, following them where the analyzer can.

    Args:
        frames: (H, W, 3) RGB, in order.
        analyzer: the face backend.
        drawn: the frames are drawings: find faces with the help that drawings need, in each frame by itself.
    """
    follow = getattr(analyzer, "find_faces_in_frames", None)
    if drawn:
        for frame in frames:
            yield find_drawn_faces(frame, analyzer, SHOWINGS[:4])[0]
    elif follow is not None:
        yield from follow(frames)
    else:
        for frame in frames:
            yield analyzer.find_faces(frame)


def clearly_seen(frames: Iterable[Pixels], find: FaceFinder) -> Iterator[list[Face]]:
    """Find faces, and pass over frames in which the largest one is hardly visible or fades.

    Args:
        frames: (H, W, 3) RGB, in order.
        find: from frames to the faces of each.

    Yields:
        The faces of each frame; empty where a clip should not go on.
    """
    shown: deque[Pixels] = deque()

    def watched() -> Iterator[Pixels]:
        for frame in frames:
            shown.append(frame)
            yield frame

    before = 0.0
    for faces in find(watched()):
        frame = shown.popleft()
        contrast = face_contrast(frame, max(faces, key=lambda face: face.box.area)) if faces else 0.0
        fading = before > 0 and abs(contrast - before) > FASTEST_FADE * before
        before = contrast
        yield [] if contrast < LEAST_CONTRAST or fading else faces


def face_contrast(rgb: Pixels, face: Face) -> float:
    """Standard deviation of the luminance, in [0, 1], within a face's box."""
    top, bottom = max(0, int(face.box.top)), max(0, int(face.box.bottom) + 1)
    left, right = max(0, int(face.box.left)), max(0, int(face.box.right) + 1)
    inside = rgb[top:bottom, left:right].astype(np.float32)
    return float((inside @ LUMINANCE).std()) / 255.0 if inside.size else 0.0


def face_runs(faces: Iterable[list[Face]]) -> list[Run]:
    """Follow the largest face from frame to frame; where it is lost or jumps, a new run begins.

    Args:
        faces: those of each frame.
    """
    runs: list[Run] = []
    track: list[Landmarks] = []
    last: Face | None = None
    start = 0
    for number, found in enumerate(faces):
        face = _next_face(last, found)
        if face is None or last is None or not _moved_little(last, face):
            if track:
                runs.append(Run(start, np.stack(track)))
            track, start = [], number
            face = max(found, key=lambda candidate: candidate.box.area) if found else None
        if face is not None:
            track.append(face.landmarks)
        last = face
    if track:
        runs.append(Run(start, np.stack(track)))
    return runs


def _next_face(last: Face | None, found: list[Face]) -> Face | None:
    if last is None or not found:
        return None
    best = max(found, key=lambda face: face.box.overlap(last.box))
    return best if best.box.overlap(last.box) >= SAME_FACE else None


def _moved_little(last: Face, face: Face) -> bool:
    step = np.linalg.norm((face.landmarks - last.landmarks)[:, :2], axis=1).mean()
    return float(step) <= FASTEST * face_extent(last.landmarks)


def common_frame(landmarks: Landmarks) -> PortraitFrame:
    """The smallest square that holds the portrait frame of every frame of a clip; theirs, if the face is still.

    Args:
        landmarks: (T, 68, 3) film pixels.
    """
    left, top, right, bottom = _edges_around(_edges(landmarks))
    side = max(right - left, bottom - top)
    return PortraitFrame(left - (side - (right - left)) // 2, top - (side - (bottom - top)) // 2, side)


def _edges(landmarks: Landmarks) -> npt.NDArray[np.int64]:
    """Left, top, right and bottom of the portrait frame of each frame, (T, 4)."""
    frames = [portrait_frame(points) for points in landmarks]
    return np.array([(frame.left, frame.top, frame.right, frame.bottom) for frame in frames], np.int64)


def _edges_around(edges: npt.NDArray[np.int64]) -> tuple[int, int, int, int]:
    """Those of the smallest rectangle that holds all of them."""
    left, top = (int(edge) for edge in edges[:, :2].min(axis=0))
    right, bottom = (int(edge) for edge in edges[:, 2:].max(axis=0))
    return left, top, right, bottom


def steady_run(run: Run) -> Run:
    """Return the longest part of a run whose common crop has not much more room than a single frame's crop."""
    best = Run(run.first, run.landmarks[:1])
    edges = _edges(run.landmarks)
    sides = edges[:, 2] - edges[:, 0]
    start = 0
    for stop in range(1, len(run) + 1):
        while _room(edges[start:stop]) > MOST_ROOM * float(np.median(sides[start:stop])):
            start += 1
        if stop - start > len(best):
            best = Run(run.first + start, run.landmarks[start:stop])
    return best


def _room(edges: npt.NDArray[np.int64]) -> int:
    """Side of the common frame."""
    left, top, right, bottom = _edges_around(edges)
    return max(right - left, bottom - top)


def smoothed(landmarks: Landmarks) -> Landmarks:
    """Landmarks (T, 68, 3) without the trembling of a detector that sees one frame at a time."""
    return np.asarray(smooth_track(landmarks, *SMOOTHING), np.float32)


def cropped(frames: Iterable[Pixels], frame: PortraitFrame, size: int) -> tuple[Pixels, Pixels]:
    """Cut one square out of all frames.

    Returns:
        The frames, (T, size, size, 3), white outside of the film, and which pixels lie inside, (size, size), 255 = yes.
    """
    cut, inside = [], None
    for rgb in frames:
        if inside is None:
            inside = crop(np.full(rgb.shape[:2], 255, np.uint8), frame, size, fill=0)
        cut.append(crop(rgb, frame, size, fill=255))
    if inside is None:
        raise ValueError("there is no frame")
    return np.stack(cut), np.asarray(inside)


def drawn_lines(frames: Pixels, inside: Pixels, landmarks: Landmarks, drawer: StaticDrawer, matter: Matter) -> Pixels:
    """Draw the frames of a clip with lines, steadied over time; blank paper outside of the film.

    Args:
        frames: (T, S, S, 3) RGB.
        inside: (S, S), 255 inside of the film.
        landmarks: (T, 68, 3) pixels of S, smoothed.
        drawer: draws lines.
        matter: tells the person from the background.

    Returns:
        (T, S, S) uint8, 255 = paper, or (T, S, S, 3) from a drawer in colour.
    """
    import torch

    from lightning_modules.drawing.film_lines import draw_film
    from lightning_modules.pipeline.portrait import blank_outside, continued_outside, image_array, image_tensor

    valid = image_tensor(inside)
    with torch.inference_mode():
        tensors = torch.cat([continued_outside(image_tensor(frame), valid) for frame in frames])
        mattes = np.stack([matter.matte(frame) for frame in frames])
        person = torch.from_numpy(mattes)[:, None].float() * valid
        drawn = draw_film(tensors, drawer, landmarks=torch.from_numpy(landmarks), mattes=person)
        lines = image_array(blank_outside(drawn, valid))
        return np.asarray(lines[..., 0] if lines.shape[-1] == 1 else lines)
