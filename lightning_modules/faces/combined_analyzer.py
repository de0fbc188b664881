"""Two analyzers in turn: the second is asked where the first finds no face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lightning_modules.faces.face import FaceAnalyzer, FaceList
from lightning_modules.faces.mediapipe_analyzer import MediaPipeAnalyzer
from lightning_modules.faces.photo import RgbPixels
from lightning_modules.faces.starter_analyzer import StarterAnalyzer


class MediaPipeThenStarter:
    """MediaPipe, which places landmarks best on photos, then the starter, which finds more drawn faces.

    ``found_by`` of a list of faces names the one that found them.

    Args:
        parts: the analyzers, first come first asked; None for these two.

    Raises:
        BackendError: one of them is missing.
        WeightsError: the weights of the starter cannot be used.
    """

    name: str = "mediapipe+starter"

    def __init__(self, parts: tuple[FaceAnalyzer, ...] | None = None) -> None:
        self.parts = (MediaPipeAnalyzer(), StarterAnalyzer()) if parts is None else parts

    def find_faces(self, rgb: RgbPixels) -> FaceList:
        """All faces of a photo ``(H, W, 3)`` uint8 RGB that the first analyzer finds that finds any, left to right."""
        tried: list[str] = []
        hint = ""
        for part in self.parts:
            faces = part.find_faces(rgb)
            tried += [f"{part.name}: {step}" for step in getattr(faces, "tried", ())]
            hint = hint or getattr(faces, "hint", "")
            if faces:
                return FaceList(faces, tried=tuple(tried), found_by=part.name)
        return FaceList(tried=tuple(tried), hint=hint)

    def find_faces_in_frames(self, frames: Iterable[RgbPixels]) -> Iterator[FaceList]:
        """Faces of each frame of a clip, followed by the first analyzer; the second sees the frames without any.

        Args:
            frames: pictures ``(H, W, 3)`` uint8 RGB, in order of time; read one at a time.

        Yields:
            The faces of one frame, left to right.
        """
        first, *others = self.parts
        shown: list[RgbPixels] = []

        def watched() -> Iterator[RgbPixels]:
            for frame in frames:
                shown[:] = [frame]
                yield frame

        follow = getattr(first, "find_faces_in_frames", None)
        for faces in follow(watched()) if follow else map(first.find_faces, watched()):
            found, by = faces, first.name
            for part in others:
                if found:
                    break
                found, by = part.find_faces(shown[0]), part.name
            yield FaceList(found, tried=getattr(found, "tried", ()), found_by=by if found else "")
