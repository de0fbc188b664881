"""The detector that the paper used: face-alignment's 3-D network (Bulat and Tzimiropoulos 2017).

It brings torch and takes seconds a face, so nothing is imported before it is asked for. Its weights are not ours to
ship.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import urllib.error
import urllib.parse
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lightning_modules.errors import BackendError, ConfigError, WeightsError
from lightning_modules.faces.face import FaceList, make_face
from lightning_modules.faces.photo import RgbPixels

LANDMARK_FILE = "3DFAN4-7835d9f11d.pth.tar"
DEPTH_FILE = "depth-2a464da4ea.pth.tar"
DETECTOR_FILE = "s3fd-619a316812.pth"
SOURCE = "https://www.adrianbulat.com/downloads/python-fan/"
INSTALL_COMMAND = "pip install --no-deps face-alignment==1.5.0"
CONNECT_SECONDS = 3.0


class FaceAlignmentAnalyzer:
    """Finds 68 landmarks with 3DFAN-4 and its depth network, on the CPU.

    z is the depth network's, in photo pixels, turned so that the nose is nearer to the viewer than the ends of the jaw.
    ``confidence`` is that of the detection that gave the box.

    Args:
        weights: folder of the weight files. None: the cache folder of torch's hub, into which missing files are
            downloaded from the author's site.
        boxes: who says where faces are: ``"mediapipe"``, or ``"s3fd"``, the library's own detector (one file more,
        slower).

    Raises:
        BackendError: the package is not installed, or weight files are missing and cannot be downloaded.
        WeightsError: a weight file is damaged or foreign.
        ConfigError: another value of ``boxes``.
    """

    name = "face-alignment"

    def __init__(self, weights: str | Path | None = None, *, boxes: Literal["mediapipe", "s3fd"] = "mediapipe") -> None:
        if boxes not in {"mediapipe", "s3fd"}:
            raise ConfigError(f"boxes cannot come from {boxes!r}", "choose mediapipe or s3fd")
        if importlib.util.find_spec("face_alignment") is None:
            raise BackendError("the package face-alignment is not installed", f"run: {INSTALL_COMMAND}")
        folder = _weights_folder(weights, [LANDMARK_FILE, DEPTH_FILE] + ([DETECTOR_FILE] if boxes == "s3fd" else []))
        self._detector: Any = None
        if boxes == "mediapipe":
            from lightning_modules.faces.mediapipe_analyzer import MediaPipeAnalyzer

            self._detector = MediaPipeAnalyzer()
        self._boxes = boxes
        self._network = _network(folder, boxes)

    def find_faces(self, rgb: RgbPixels) -> FaceList:
        """All faces of a photo ``(H, W, 3)`` uint8 RGB, left to right."""
        rgb = np.ascontiguousarray(rgb)
        if self._detector is not None:
            found = self._detector.find_faces(rgb)
            rectangles = [[face.box.left, face.box.top, face.box.right, face.box.bottom] for face in found]
            confidences = [face.confidence for face in found]
            tried, hint = tuple(f"mediapipe: {step}" for step in found.tried), found.hint
        else:
            answer = self._network.face_detector.detect_from_image(rgb)
            detections = [[float(number) for number in detection] for detection in answer]
            rectangles = [detection[:4] for detection in detections]
            confidences = [detection[4] for detection in detections]
            tried, hint = ("s3fd on the whole photo",), ""
        if not rectangles:
            return FaceList(tried=tried, hint=hint)
        landmarks = self._network.get_landmarks_from_image(rgb, detected_faces=rectangles)
        faces = [
            make_face(_towards_viewer(np.asarray(points, dtype=np.float32)), confidence)
            for points, confidence in zip(landmarks, confidences, strict=True)
        ]
        return FaceList(faces, tried=tried)


def _towards_viewer(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn the sign of z where the nose tip would lie behind the ends of the jaw."""
    turned = points.copy()
    if points[30, 2] < (points[0, 2] + points[16, 2]) / 2:
        turned[:, 2] *= -1
    return turned


def _weights_folder(weights: str | Path | None, names: list[str]) -> Path:
    """The folder that holds all the files; downloads what is missing where no folder was given."""
    if weights is None:
        home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
        folder = Path(home).expanduser() / "hub" / "checkpoints"
    else:
        folder = Path(weights).expanduser()
    missing = [name for name in names if not (folder / name).is_file()]
    if missing and weights is None and _reachable():
        _download(folder, missing)
        missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        why = "" if weights is not None else " and the site that has them cannot be reached"
        raise BackendError(
            f"face-alignment needs weights that are not there ({', '.join(missing)}){why}",
            f"fetch them from {SOURCE} and put them into {folder}, or use the analyzer mediapipe",
        )
    return folder


def _reachable() -> bool:
    host = urllib.parse.urlsplit(SOURCE).hostname or ""
    try:
        socket.create_connection((host, 443), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _download(folder: Path, names: list[str]) -> None:
    from torch.hub import download_url_to_file

    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        try:
            download_url_to_file(SOURCE + name, str(folder / name))  # written aside, then renamed
        except (urllib.error.URLError, OSError, RuntimeError) as error:
            raise BackendError(
                f"the weights {name} could not be downloaded ({error})", f"fetch {SOURCE}{name} yourself into {folder}"
            ) from error


def _network(folder: Path, boxes: str) -> Any:
    """face-alignment's network with its weights read by the loader that cannot run code."""
    try:
        from face_alignment import FaceAlignment, LandmarksType
        from face_alignment.models import FAN, ResNetDepth
    except ImportError as error:
        found = f"the package face-alignment cannot be imported ({error})"
        raise BackendError(found, f"run: {INSTALL_COMMAND}") from error

    class SafelyLoaded(FaceAlignment):  # type: ignore[misc]
        def _load_native(self, network_name: str, network_size: int, device: str, dtype: Any) -> Any:
            network = FAN(network_size)
            network.load_state_dict(_numbers_of(folder / LANDMARK_FILE))
            return network.to(device, dtype=dtype).eval()

        def _load_native_depth(self, device: str, dtype: Any) -> Any:
            network = ResNetDepth()
            stored = _numbers_of(folder / DEPTH_FILE)["state_dict"]
            network.load_state_dict({key.replace("module.", ""): value for key, value in stored.items()})
            return network.to(device, dtype=dtype).eval()

    of_s3fd = {"path_to_detector": str(folder / DETECTOR_FILE)} if boxes == "s3fd" else None
    try:
        return SafelyLoaded(
            LandmarksType.THREE_D,
            device="cpu",
            compile=False,
            flip_input=True,
            face_detector="sfd" if boxes == "s3fd" else "folder",
            face_detector_kwargs=of_s3fd,
        )
    except (RuntimeError, KeyError, TypeError, AttributeError, EOFError, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(
            f"the weights of face-alignment do not fit its networks ({reason})",
            f"fetch them again from {SOURCE}",
            folder,
        ) from error


def _numbers_of(path: Path) -> Any:
    """The tensors of a weight file; anything but tensors and plain numbers in it is refused."""
    import pickle

    import torch

    # A checkpoint may hold its epoch or best score as NumPy scalars; making one runs no foreign code.
    numpy_scalars: list[Any] = [
        np.float64(0).__reduce__()[0],
        np.dtype,
        type(np.dtype(np.float64)),
        type(np.dtype(np.float32)),
        type(np.dtype(np.int64)),
    ]
    try:
        with torch.serialization.safe_globals(numpy_scalars):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(
            "the weight file is damaged, or holds more than numbers", f"fetch it again from {SOURCE}{path.name}", path
        ) from error
