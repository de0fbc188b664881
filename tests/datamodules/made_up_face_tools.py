"""Backends for the preparation's own tests: they obey the interfaces and know nothing about faces.

They live in a module of their own, because spawned worker processes have to import them. Every call of the analyzer is
written to the file that the environment variable CALLS names. What the analyzer does depends on the photo alone: one
face in the middle, two side by side in wide photos, none in plain ones; a photo whose corner pixel is pure red kills
the process, pure green raises what nobody expects, and yellow
puts the face into the upper left corner.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from datamodules.prepare.photos import PhotoSettings, PhotoTools
from lightning_modules.errors import BackendError
from lightning_modules.faces.face import FaceList, make_face


def unit_face():
    """68 landmarks of a smiling oval, about 1 wide and 1 high around (0, 0), in the usual order."""
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.5 * np.cos(angle), 0.5 * np.sin(angle)], 1)
    brow = np.stack([np.linspace(-0.42, -0.1, 5), np.full(5, -0.45)], 1)
    nose = np.concatenate(
        [
            np.stack([np.zeros(4), np.linspace(-0.3, 0.0, 4)], 1),
            np.stack([np.linspace(-0.1, 0.1, 5), np.full(5, 0.06)], 1),
        ]
    )
    eye = np.array([[-0.34, -0.3], [-0.28, -0.34], [-0.2, -0.34], [-0.14, -0.3], [-0.2, -0.27], [-0.28, -0.27]])
    around = np.linspace(np.pi, 3 * np.pi, 13)[:-1]
    outer = np.stack([0.2 * np.cos(around), 0.25 + 0.09 * np.sin(around)], 1)
    around = np.linspace(np.pi, 3 * np.pi, 9)[:-1]
    inner = np.stack([0.15 * np.cos(around), 0.25 + 0.03 * np.sin(around)], 1)
    other_brow, other_eye = brow[::-1] * [-1, 1], eye[[3, 2, 1, 0, 5, 4]] * [-1, 1]
    points = np.concatenate([jaw, brow, other_brow, nose, eye, other_eye, outer, inner])
    return np.concatenate([points, 0.1 * points[:, :1]], 1)


class MadeUpAnalyzer:
    name = "made-up"

    def find_faces(self, rgb):
        if "CALLS" in os.environ:
            with Path(os.environ["CALLS"]).open("a", encoding="utf-8") as calls:
                calls.write(f"{os.getpid()}\n")
        time.sleep(float(os.environ.get("SECONDS_A_PHOTO", "0")))
        corner = rgb[0, 0].tolist()
        if corner == [255, 0, 0]:
            os.kill(os.getpid(), signal.SIGKILL)
        if corner == [0, 255, 0]:
            raise ZeroDivisionError("an unforeseen\nthing")
        if rgb.std() < 1:
            return FaceList(tried=("looking hard",))
        height, width = rgb.shape[:2]
        count = 2 if width >= 1.8 * height else 1
        size = 0.4 * min(height, width / count)
        if corner == [255, 255, 0]:
            return FaceList([make_face(unit_face() * size + [0.2 * width, 0.3 * height, 0], 0.9)])
        centers = [(width * (2 * i + 1) / (2 * count), height / 2) for i in range(count)]
        scales = [size * (1 - 0.2 * i) for i in range(count)]
        return FaceList(
            make_face(unit_face() * scale + [*center, 0], 0.9) for center, scale in zip(centers, scales, strict=True)
        )


class MadeUpMatter:
    name = "made-up oval"

    def matte(self, rgb):
        height, width = rgb.shape[:2]
        y, x = np.mgrid[:height, :width]
        distance = np.hypot((x - width / 2) / width, (y - height / 2) / height)
        return np.clip(5 - 10 * distance, 0, 1).astype(np.float32)


class MadeUpDrawer:
    name = "made-up grey"
    channels = 1

    def draw(self, photo, landmarks=None, matte=None):
        return photo.mean(1, keepdim=True)

    def settings(self):
        return {"strength": 1.0}


def make_made_up_tools(settings: PhotoSettings) -> PhotoTools:
    if settings.landmarks == "missing":
        raise BackendError("the made-up weights are missing", "make some up")
    return PhotoTools(MadeUpAnalyzer(), MadeUpMatter(), MadeUpDrawer() if settings.look else None)
