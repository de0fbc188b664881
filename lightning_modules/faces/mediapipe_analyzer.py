"""The default face analyzer: MediaPipe's detectors and face mesh behind a cascade of our own.

1. Both BlazeFace detectors (short and full range) look at the whole photo;
2. if no face comes of it, at the photo with a white border (tight crops, faces at the border);
3. if none comes of that either, at overlapping enlarged parts (small faces in large pictures); the coarsest of these
   are looked at too where faces were found that leave room for others.

Each candidate is shown to the mesh network in an upright square, and again in the square that follows from the first
mesh; the second time also as its mirror image, and the mean is taken: this lowers the error by 3 % and makes the
analyzer exactly mirror-symmetric. The network's own presence score and the checks of
:mod:`~lightning_modules.faces.plausibility` decide whether it is a face.

Measured on one core: 20 ms a portrait of 512 px, 8 ms a followed frame, 0.2 s to find nothing (0.6 s in 12 megapixels),
import and construction 0.6 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import ConfigError
from lightning_modules.faces.face import Face, FaceList, make_face
from lightning_modules.faces.face_region import (
    FaceRegion,
    cut_region,
    region_of_detection,
    region_of_mesh,
    to_photo,
)
from lightning_modules.faces.landmark_map import landmarks_from_mesh
from lightning_modules.faces.mediapipe_graphs import MESH_INPUT_SIDE, Detection, FaceDetector, FaceMeshNetwork
from lightning_modules.faces.mesh_mirror import mirrored_mesh
from lightning_modules.faces.photo import RgbPixels
from lightning_modules.faces.plausibility import looks_like_a_face, roll

# The detectors see at most 192 px; more than this of a view only costs time.
VIEW_SIDE = 512
PART_SIDE = 320
DETECTION_THRESHOLD = 0.3
CERTAIN_DETECTION = 0.5
CERTAIN_TURNED_DETECTION = 0.7
# A face on its side is not animated in place: its photo should be turned first (most likely it lost its EXIF rotation).
MOST_ROLL = 60.0
SAME_FACE_OVERLAP = 0.35
BORDERS = (0.3, 0.8)
PARTS_PER_SIDE = (2, 4)
# Many windows give many chances to be wrong, so a detection in one of them must be better.
CERTAIN_DETECTION_IN_PART = 0.7
# Beside a face smaller than this share of the photo's longer side there is room for others.
LARGE_FACE = 0.35
# In larger photos faces this many times smaller than the photo are still large enough to draw.
LARGE_PHOTO = 1600
PARTS_PER_SIDE_OF_LARGE = (2, 4, 8)
# Shares of the side of the face's square: on 132 portraits the second mesh differs from the first by 0.004, and the
# mirrored one by 0.005; on things that are no faces, or faces on their heads, by 0.05.
SETTLED = 0.02
MOST_REFINEMENTS = 3
MOST_DISAGREEMENT = 0.035
Candidate = tuple[FaceRegion, float]


@dataclass(frozen=True)
class _Found:
    """A face with the mesh it came from, which tracking needs."""

    face: Face
    mesh: npt.NDArray[np.float32]


class MediaPipeAnalyzer:
    """Finds faces with the networks inside the wheel ``mediapipe==0.10.21``; no network access, no weight files.

    ``confidence`` of a face is the detector's score times the mesh network's presence score; of a face that was found
    without a detector, or tracked, the presence score alone. z is the mesh network's depth with its sign turned, in
    photo pixels. It is a relative depth: on frontal portraits the nose tip comes out at 0.5 and the ears at −0.55
    outer-eye distances.

    Args:
        presence: smallest presence score of the mesh network at which a face counts, in (0, 1).

    Raises:
        BackendError: mediapipe is missing or unusable.
        ConfigError: ``presence`` is out of range.
    """

    name = "mediapipe"

    def __init__(self, *, presence: float = 0.5) -> None:
        if not 0.0 < presence < 1.0:
            raise ConfigError(f"a presence threshold of {presence}", "choose a number between 0 and 1")
        self._presence = presence
        self._short_range = FaceDetector(full_range=False, threshold=DETECTION_THRESHOLD)
        self._full_range = FaceDetector(full_range=True, threshold=DETECTION_THRESHOLD)
        self._mesh_network = FaceMeshNetwork()

    def find_faces(self, rgb: RgbPixels) -> FaceList:
        """All faces of a photo.

        Args:
            rgb: ``(H, W, 3)`` uint8 RGB.

        Returns:
            The faces, left to right; its ``tried`` names the steps of the cascade that were taken.

        Raises:
            ValueError: another shape or type.
        """
        found, tried, hint = self._cascade(rgb)
        return FaceList((item.face for item in found), tried=tuple(tried), hint=hint)

    def find_faces_in_frames(self, frames: Iterable[RgbPixels]) -> Iterator[FaceList]:
        """Faces of each frame of a clip, found once and then followed.

        The mesh of the last frame tells where to look in the next, as long as the network still sees a face there.
        Where every face is lost, the whole cascade is run on the frame; so a face that enters beside another one is
        not noticed.

        Args:
            frames: pictures ``(H, W, 3)`` uint8 RGB, in order of time; read one at a time.

        Yields:
            The faces of one frame, left to right; empty where none is seen.
        """
        last: list[_Found] = []
        for frame in frames:
            followed = self._verified(frame, [(region_of_mesh(item.mesh), 1.0) for item in last], refine=False)
            if followed:
                last, tried = followed, ["following the last frame"]
            else:
                last, tried, _ = self._cascade(frame)
            yield FaceList((item.face for item in last), tried=tuple(tried))

    def _cascade(self, rgb: RgbPixels) -> tuple[list[_Found], list[str], str]:
        """Faces, the steps tried, and a hint where no face was found."""
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"expected uint8 pixels of shape (H, W, 3), got {rgb.dtype} {rgb.shape}")
        steps: tuple[tuple[str, Callable[[RgbPixels], list[Candidate]]], ...] = (
            ("the whole photo", self._in_whole),
            ("a white border around it", self._in_bordered),
            ("enlarged parts", self._in_parts),
        )
        tried: list[str] = []
        for name, candidates in steps:
            tried.append(name)
            found = self._verified(rgb, candidates(rgb))
            if upright := [item for item in found if abs(roll(item.face.landmarks)) <= MOST_ROLL]:
                if max(item.face.box.height for item in upright) < LARGE_FACE * max(rgb.shape[:2]):
                    upright = self._with_companions(rgb, upright)
                return upright, tried, ""
            if found:
                return [], tried, _turn_by(-roll(found[0].face.landmarks))
        return [], tried, self._hint(rgb)

    def _with_companions(self, rgb: RgbPixels, found: list[_Found]) -> list[_Found]:
        """The faces found in a photo that has room for more, and those that a closer look finds beside them."""
        further = self._verified(rgb, self._in_parts(rgb, PARTS_PER_SIDE[:1]), known=found)
        return [*found, *(item for item in further if abs(roll(item.face.landmarks)) <= MOST_ROLL)]

    def _in_whole(self, rgb: RgbPixels) -> list[Candidate]:
        view, scale = _view(rgb)
        return _certain([*self._detect(self._short_range, view, scale), *self._detect(self._full_range, view, scale)])

    def _in_bordered(self, rgb: RgbPixels) -> list[Candidate]:
        view, scale = _view(rgb)
        candidates: list[Candidate] = []
        for share in BORDERS:
            border = round(share * max(view.shape[:2]))
            padded = np.pad(view, ((border, border), (border, border), (0, 0)), constant_values=255)
            for detector in (self._short_range, self._full_range):
                candidates += self._detect(detector, padded, scale, -border, -border)
        return _certain(candidates)

    def _in_parts(self, rgb: RgbPixels, parts_per_side: tuple[int, ...] = ()) -> list[Candidate]:
        candidates: list[Candidate] = []
        large = max(rgb.shape[:2]) >= LARGE_PHOTO
        for parts in parts_per_side or (PARTS_PER_SIDE_OF_LARGE if large else PARTS_PER_SIDE):
            # windows overlap by half, so that a face up to half a window wide lies whole in one of them
            view, scale = _view(rgb, PART_SIDE * (parts + 1) // 2)
            height, width = view.shape[:2]
            window_height, window_width = -(-2 * height // (parts + 1)), -(-2 * width // (parts + 1))
            for top in np.linspace(0, height - window_height, parts).astype(int):
                for left in np.linspace(0, width - window_width, parts).astype(int):
                    window = view[top : top + window_height, left : left + window_width]
                    candidates += self._detect(self._full_range, window, scale, left, top)
        return [candidate for candidate in candidates if candidate[1] >= CERTAIN_DETECTION_IN_PART]

    def _detect(
        self, detector: FaceDetector, view: RgbPixels, scale: float, left: float = 0.0, top: float = 0.0
    ) -> list[Candidate]:
        """Squares in photo pixels for the detections in a view; ``left, top`` is added to positions in the view."""

        def in_photo(x: float, y: float) -> tuple[float, float]:
            return (x + left + 0.5) * scale - 0.5, (y + top + 0.5) * scale - 0.5

        candidates = []
        for found in detector.detect(view):
            box = (*in_photo(*found.box[:2]), *in_photo(*found.box[2:]))
            moved = Detection(box, in_photo(*found.right_eye), in_photo(*found.left_eye), found.score)
            candidates.append((region_of_detection(moved), found.score))
        return candidates

    def _verified(
        self, rgb: RgbPixels, candidates: list[Candidate], *, refine: bool = True, known: Sequence[_Found] = ()
    ) -> list[_Found]:
        """The candidates that the mesh network confirms, each face once and none of the known ones, best first."""
        found: list[_Found] = list(known)
        for region, score in sorted(candidates, key=lambda candidate: -candidate[1]):
            if any(_is_inside(region, other.face) for other in found):
                continue
            item = self._face_at(rgb, region, score, refine=refine)
            if item and all(item.face.box.overlap(other.face.box) < SAME_FACE_OVERLAP for other in found):
                found.append(item)
        fresh = found[len(known) :]
        return [item for item in fresh if not any(_is_part_of(item.face, other.face) for other in found)]

    def _face_at(self, rgb: RgbPixels, region: FaceRegion, score: float, *, refine: bool) -> _Found | None:
        direct, presence = self._mesh_in(rgb, region)
        for _ in range(MOST_REFINEMENTS if refine else 0):
            if direct is None:
                return None
            before, region = direct, region_of_mesh(direct)
            direct, presence = self._mesh_in(rgb, region)
            if direct is not None and _difference(direct, before, region) < SETTLED:
                break
        mirror, mirror_presence = self._mesh_in(rgb, region, mirrored=True)
        presence = min(presence, mirror_presence)
        if direct is None or mirror is None or presence < self._presence:
            return None
        if _difference(direct, mirror, region) > MOST_DISAGREEMENT:
            return None
        mesh = np.asarray((direct + mirror) / 2, dtype=np.float32)
        landmarks = landmarks_from_mesh(mesh)
        landmarks[:, 2] *= -1
        if not looks_like_a_face(landmarks, rgb.shape[1], rgb.shape[0]):
            return None
        return _Found(make_face(landmarks, score * presence), mesh)

    def _mesh_in(
        self, rgb: RgbPixels, region: FaceRegion, *, mirrored: bool = False
    ) -> tuple[npt.NDArray[np.float32] | None, float]:
        cut = cut_region(rgb, region, MESH_INPUT_SIDE)
        if mirrored:
            cut = cut[:, ::-1]
        mesh, presence = self._mesh_network.mesh(cut)
        if mesh is None:
            return None, presence
        if mirrored:
            mesh = mirrored_mesh(mesh, MESH_INPUT_SIDE)
        return to_photo(mesh, region, MESH_INPUT_SIDE), presence

    def _hint(self, rgb: RgbPixels) -> str:
        """What to do about a photo in which no face was found: perhaps it stands on its head."""
        view, _ = _view(rgb)
        for quarter_turns in (2, 1, 3):
            turned = np.ascontiguousarray(np.rot90(view, quarter_turns))
            candidates = [candidate for candidate in self._in_whole(turned) if candidate[1] >= CERTAIN_TURNED_DETECTION]
            found = self._verified(turned, candidates)
            if found and abs(roll(found[0].face.landmarks)) < MOST_ROLL:
                return _turn_by(-90.0 * quarter_turns)
        return ""


def _view(rgb: RgbPixels, side: int = VIEW_SIDE) -> tuple[RgbPixels, float]:
    """The photo reduced to ``side`` pixels on its longer side, and how many photo pixels one of its pixels spans."""
    import cv2

    height, width = rgb.shape[:2]
    scale = max(height, width) / side
    if scale <= 1:
        return np.ascontiguousarray(rgb), 1.0
    size = max(round(width / scale), 1), max(round(height / scale), 1)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), scale


def _turn_by(angle: float) -> str:
    """Advice to turn the photo, for an angle in degrees, positive clockwise."""
    quarter_turns = round(angle / 90) % 4
    words = {1: "90° clockwise", 2: "180°", 3: "90° counter-clockwise"}.get(quarter_turns, f"{angle:.0f}° clockwise")
    return f"turn the photo by {words}: a face in it does not stand upright"


def _difference(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32], region: FaceRegion) -> float:
    """Mean distance of two meshes of one face, as a share of the side of its square."""
    return float(np.linalg.norm((one - other)[:, :2], axis=1).mean()) / max(region.side, 1e-6)


def _certain(candidates: list[Candidate]) -> list[Candidate]:
    """Drop uncertain detections beside certain ones: prints on clothes, hands."""
    certain = [candidate for candidate in candidates if candidate[1] >= CERTAIN_DETECTION]
    return certain or candidates


def _is_part_of(face: Face, other: Face) -> bool:
    """Whether a face is far smaller than another one and lies in it or in its hair: an ear, a curl taken for a face."""
    center_x, center_y = face.box.center
    other_x, other_y = other.box.center
    near = abs(center_x - other_x) < 0.65 * other.box.width and abs(center_y - other_y) < 0.65 * other.box.height
    return near and face.box.area < 0.15 * other.box.area


def _is_inside(region: FaceRegion, face: Face) -> bool:
    """Whether a candidate's middle lies in the middle of a face that is known already, and it is of like size."""
    center_x, center_y = face.box.center
    reach = max(face.box.width, face.box.height)
    near = abs(region.center_x - center_x) < reach / 3 and abs(region.center_y - center_y) < reach / 3
    return near and 0.5 < region.side / (1.5 * reach) < 2.0
