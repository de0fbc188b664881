"""Portraits and analyzers that several tests of this folder share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def analyzer():
    from lightning_modules.faces.face_analyzers import make_face_analyzer

    return make_face_analyzer("mediapipe")


@pytest.fixture(scope="session")
def portrait(astronaut) -> np.ndarray:
    """Head and shoulders of the astronaut, 240×240."""
    return np.ascontiguousarray(astronaut[0:240, 105:345])


@pytest.fixture(scope="session")
def portrait_face(analyzer, portrait):
    (face,) = analyzer.find_faces(portrait)
    return face
