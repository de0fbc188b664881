"""The four networks inside the MediaPipe wheel that we use, each behind a small class with NumPy in and out.

MediaPipe 0.10.21 is the last release whose wheel holds its models (Apache-2.0). Only its networks and their graph
runner are used: which part of the photo they see, and what is made of their answers, is decided by our own code.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import BackendError
from lightning_modules.faces.native_log import harmless_lines_dropped
from lightning_modules.faces.photo import RgbPixels

INSTALL_COMMAND = "pip install --no-deps mediapipe==0.10.21"
WITHOUT_MEDIAPIPE = "where that is impossible, use --landmarks starter --matte none"
MESH_INPUT_SIDE = 192
# What to take from the network's coordinates to have pixel centres at integers, in pixels of its input. Measured:
# with it the mesh of a picture and the mesh of its mirror image lie, on average over 132 portraits, on the same points.
MESH_PIXEL_OFFSET = 0.31
_PRESENCE_STREAM = "facelandmarkcpu__face_presence_score"
_MESH_GRAPH = """
input_stream: "image"
input_stream: "region"
input_side_packet: "with_attention"
output_stream: "landmarks"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:region"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""
_SOLUTIONS = "mediapipe.python.solutions"
_UNUSED_PARTS = (
    *(f"mediapipe.tasks.python.{part}" for part in ("genai", "text", "vision")),
    *(f"{_SOLUTIONS}.{part}" for part in ("drawing_styles", "drawing_utils", "hands", "holistic", "objectron", "pose")),
)
_BLANK = np.full((MESH_INPUT_SIDE, MESH_INPUT_SIDE, 3), 255, dtype=np.uint8)


@dataclass(frozen=True)
class Detection:
    """One answer of a face detector, in pixels of the picture it was shown.

    Attributes:
        box: left, top, right, bottom.
        right_eye: centre (x, y) of the person's right eye (on the left of the picture).
        left_eye: centre (x, y) of the other eye.
        score: the detector's confidence in [0, 1].
    """

    box: tuple[float, float, float, float]
    right_eye: tuple[float, float]
    left_eye: tuple[float, float]
    score: float


def import_mediapipe() -> Any:
    """Import MediaPipe without its chatter, and without the parts of it that have nothing to do with faces.

    Those are loaded when somebody asks for something in them, which makes the import ten times as fast: its drawing
    helpers need matplotlib.

    Returns:
        The package ``mediapipe``.

    Raises:
        BackendError: it is not installed, or a release that holds no models is.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    try:
        with harmless_lines_dropped():
            waiting = {} if "mediapipe" in sys.modules else {name: _on_request(name) for name in _UNUSED_PARTS}
            try:
                import mediapipe
                import mediapipe.python.solution_base
            except BaseException:
                for name in waiting:
                    sys.modules.pop(name, None)
                raise
            for name, module in waiting.items():
                package, _, part = name.rpartition(".")
                setattr(sys.modules[package], part, module)
    except ModuleNotFoundError as error:
        missing = (error.name or "mediapipe").split(".")[0]
        if missing == "mediapipe" and getattr(error, "path", None) is None:
            found = "the face detector package mediapipe is not installed"
        else:
            found = f"the face detector package mediapipe cannot be imported ({error})"
        raise BackendError(found, f"run: {INSTALL_COMMAND}; {WITHOUT_MEDIAPIPE}") from error
    except Exception as error:  # protobuf and NumPy clashes surface as many types
        raise BackendError(
            f"the face detector package mediapipe cannot be imported ({type(error).__name__}: {error})",
            f"run: {INSTALL_COMMAND}, and see constraints.txt for the versions that were tested together;"
            f" {WITHOUT_MEDIAPIPE}",
        ) from error
    return mediapipe


def _on_request(name: str) -> ModuleType:
    """Put a module into its place that is loaded when something in it is asked for."""
    module = ModuleType(name)

    def load(attribute: str) -> Any:
        # Python's own questions about a module are not somebody's wish to use it, but where to find what is in it is.
        if attribute.startswith("__") and attribute != "__path__":
            raise AttributeError(attribute)
        if sys.modules.get(name) is module:
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    module.__dict__["__getattr__"] = load
    sys.modules[name] = module
    return module


class _Graph:
    """A MediaPipe graph that is built quietly and run by one thread at a time.

    Its networks load in threads of their own and speak while they do; so a blank picture is run while they are
    listened to.
    """

    def __init__(self, description: str, *, first_inputs: dict[str, Any], **arguments: Any) -> None:
        import_mediapipe()
        from mediapipe.python.solution_base import SolutionBase

        self._lock = threading.Lock()
        self._complete = False
        try:
            with harmless_lines_dropped():
                self._solution = SolutionBase(**arguments)
                self._solution.process(first_inputs)
        except (RuntimeError, ValueError, FileNotFoundError) as error:
            raise BackendError(
                f"mediapipe cannot build its graph for {description} ({error})",
                f"install the release that carries its models: {INSTALL_COMMAND}",
            ) from error

    def run(self, **inputs: Any) -> Any:
        """Show the graph one picture. Returns MediaPipe's own answer, whose fields are the graph's outputs."""
        with self._lock:
            if self._complete:
                return self._solution.process(inputs)
            with harmless_lines_dropped():  # the stages behind a detection warn once, when the first face comes through
                answer = self._solution.process(inputs)
            self._complete = all(getattr(answer, field) is not None for field in answer._fields)
            return answer


class FaceDetector(_Graph):
    """BlazeFace, short range (network input 128 px, faces that fill the picture) or full range (192 px, smaller faces).

    Args:
        full_range: take the full-range network.
        threshold: smallest score of a detection that is returned.

    Raises:
        BackendError: mediapipe is missing or unusable.
    """

    def __init__(self, *, full_range: bool, threshold: float) -> None:
        import_mediapipe()
        from mediapipe.modules.face_detection import face_detection_pb2
        from mediapipe.python.solutions import face_detection  # noqa: F401  (registers the options of its calculators)

        name = "full" if full_range else "short"
        super().__init__(
            f"{name}-range face detection",
            first_inputs={"image": _BLANK},
            binary_graph_path=f"mediapipe/modules/face_detection/face_detection_{name}_range_cpu.binarypb",
            graph_options=face_detection_pb2.FaceDetectionOptions(min_score_thresh=threshold),
            outputs=["detections"],
        )

    def detect(self, rgb: RgbPixels) -> list[Detection]:
        """Faces in a picture ``(H, W, 3)``, best first."""
        height, width = rgb.shape[:2]
        found = []
        for item in self.run(image=np.ascontiguousarray(rgb)).detections or []:
            box = item.location_data.relative_bounding_box
            eyes = item.location_data.relative_keypoints
            found.append(
                Detection(
                    box=(
                        box.xmin * width - 0.5,
                        box.ymin * height - 0.5,
                        (box.xmin + box.width) * width - 0.5,
                        (box.ymin + box.height) * height - 0.5,
                    ),
                    right_eye=(eyes[0].x * width - 0.5, eyes[0].y * height - 0.5),
                    left_eye=(eyes[1].x * width - 0.5, eyes[1].y * height - 0.5),
                    score=float(item.score[0]),
                )
            )
        return sorted(found, key=lambda detection: -detection.score)


class FaceMeshNetwork(_Graph):
    """The 478-point face mesh with refined lips, eyes and irises, shown one upright square around one face.

    Raises:
        BackendError: mediapipe is missing or unusable.
    """

    def __init__(self) -> None:
        import_mediapipe()
        from google.protobuf import text_format  # type: ignore[import-untyped]
        from mediapipe.framework import calculator_pb2
        from mediapipe.framework.formats import rect_pb2

        self._whole = rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0, rotation=0.0)
        super().__init__(
            "the face mesh",
            first_inputs={"image": _BLANK, "region": self._whole},
            graph_config=text_format.Parse(_MESH_GRAPH, calculator_pb2.CalculatorGraphConfig()),
            side_inputs={"with_attention": True},
            outputs=["landmarks", _PRESENCE_STREAM],
        )

    def mesh(self, square: RgbPixels) -> tuple[npt.NDArray[np.float32] | None, float]:
        """Mesh of the face in a square picture.

        Args:
            square: ``(192, 192, 3)``, the size of the network's input; the face upright, filling about two thirds.

        Returns:
            The points ``(478, 3)`` in pixels of the square (x right, y down, z *away* from the viewer, as the network
            has it), or None where it sees no face; and the probability in [0, 1] that it sees one.

        Raises:
            ValueError: the picture has another size.
        """
        if square.shape != _BLANK.shape:
            raise ValueError(f"expected a picture of shape {_BLANK.shape}, got {square.shape}")
        answer = self.run(image=np.ascontiguousarray(square), region=self._whole)
        presence = float(getattr(answer, _PRESENCE_STREAM) or 0.0)
        if answer.landmarks is None:
            return None, presence
        points = np.array([(point.x, point.y, point.z) for point in answer.landmarks.landmark], dtype=np.float32)
        points = points * MESH_INPUT_SIDE
        points[:, :2] -= MESH_PIXEL_OFFSET
        return points, presence


class SelfieSegmentation(_Graph):
    """The selfie segmentation network: which pixels show the person nearest to the camera.

    Args:
        landscape: take the wide network (input 144×256) in place of the general one (256×256).

    Raises:
        BackendError: mediapipe is missing or unusable.
    """

    def __init__(self, *, landscape: bool) -> None:
        import_mediapipe()
        # Importing the solution registers the packet types that its graph needs.
        from mediapipe.python.solutions import selfie_segmentation  # noqa: F401

        super().__init__(
            "selfie segmentation",
            first_inputs={"image": _BLANK},
            binary_graph_path="mediapipe/modules/selfie_segmentation/selfie_segmentation_cpu.binarypb",
            side_inputs={"model_selection": int(landscape)},
            outputs=["segmentation_mask"],
        )

    def mask(self, rgb: RgbPixels) -> npt.NDArray[np.float32]:
        """Probability of person for every pixel, ``(H, W)`` float32 in [0, 1]."""
        answer = self.run(image=np.ascontiguousarray(rgb))
        return np.clip(np.asarray(answer.segmentation_mask, dtype=np.float32), 0.0, 1.0)
