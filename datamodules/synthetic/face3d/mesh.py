"""A 3D face as a triangle mesh with random identities and expressions, and how such a mesh is read from a file.

Convention: vertices (V, 3), x right, y down, z towards the viewer, in outer eye distances of the mean face.
"""

from __future__ import annotations

import abc
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datamodules.synthetic.face3d.expressions import Expressions, expression_pairs, random_weights
from lightning_modules.errors import BackendError

Vertices = NDArray[np.float32]

_REMEDY: Final = "give the packed ICT-FaceKit model (an .npz with neutral, quads, expr_delta, expr_names, id_delta, …)"
_NEEDED: Final = ("neutral", "quads", "expr_delta", "expr_names", "id_delta", "landmarks68")
_UPSIDE_DOWN: Final = np.array([1.0, -1.0, 1.0], np.float32)

# Parts of ICT-FaceKit's light model (auxiliary, section 6.7). Face are the mask from the brows' upper end to the throat
# and all that is seen in its openings: eyes, teeth, tongue. Scalp, ears, head and neck can only hide it: they belong to
# flow map B. Shells that lie on the eyes, tear ducts and lashes are left out.
_ICT_MASK: Final = 6706
_ICT_INNER: Final = 11248
_ICT_PARTS: Final = 24591

# Jaw points as detectors report them: each slides along its side's contour to where the head's outline is.
_ICT_RIGHT_JAW: Final = (1278, 1272, 12, 1834, 243, 781, 2199, 1447)
_ICT_LEFT_JAW: Final = (3661, 4390, 3022, 2484, 4036, 2253, 3490, 3496)
_ICT_RIGHT_CONTOUR: Final = (
    *(1280, 1278, 1275, 1272, 1248, 12, 820, 1834, 1902),
    *(243, 844, 781, 1673, 2199, 801, 1447, 800),
)
_ICT_LEFT_CONTOUR: Final = (
    *(3041, 3661, 3042, 4390, 3880, 3022, 3085, 2484, 4102),
    *(4036, 3061, 2253, 3466, 3490, 3493, 3496, 3498),
)


@dataclass(frozen=True, eq=False)
class FaceMesh(abc.ABC):
    """What all meshes have; subclasses say how identities and expressions come about.

    Attributes:
        triangles: (T, 3) int32 vertex numbers; a triangle faces the viewer where its corners run clockwise in the
            picture (y down).
        is_face: (T,) bool; others can hide the face and are background themselves.
        landmarks: (68,) int32 vertex numbers.
        contours: (2, K) int32: vertices along the right and the left jaw, to which jaw points may slide; K 0: none.
    """

    triangles: NDArray[np.int32]
    is_face: NDArray[np.bool_]
    landmarks: NDArray[np.int32]
    contours: NDArray[np.int32]

    @abc.abstractmethod
    def identity(self, generator: np.random.Generator) -> Vertices:
        """A random person at rest: (V, 3)."""

    @abc.abstractmethod
    def expressed(self, identity: Vertices, generator: np.random.Generator) -> Vertices:
        """That person with a random expression: (V, 3)."""


@dataclass(frozen=True, eq=False)
class BlendShapeMesh(FaceMesh):
    """Neutral + identities + expressions, each a sum of shapes.

    Attributes:
        neutral: (V, 3) the mean face.
        identities: (K, V, 3) displacements at coefficient 1; coefficients are N(0, 1).
        expressions: (E, V, 3) displacements at weight 1.
        pairs: which expressions are what, see :class:`Expressions`.
    """

    neutral: Vertices
    identities: NDArray[np.float32]
    expressions: NDArray[np.float32]
    pairs: Expressions

    def identity(self, generator: np.random.Generator) -> Vertices:
        """See the base class."""
        coefficients = generator.standard_normal(len(self.identities)).astype(np.float32)
        moved = coefficients @ self.identities.reshape(len(self.identities), -1)
        return np.asarray(self.neutral + moved.reshape(self.neutral.shape), np.float32)

    def expressed(self, identity: Vertices, generator: np.random.Generator) -> Vertices:
        """See the base class; weights after :func:`random_weights`."""
        moved = identity.copy()
        for number, weight in random_weights(self.pairs, generator).items():
            moved += np.float32(weight) * self.expressions[number]
        return moved


def read_face_mesh(path: str | Path) -> BlendShapeMesh:
    """Read ICT-FaceKit's light model (MIT) as it is packed. Nothing stored in the file is executed.

    Args:
        path: an ``.npz`` with ``neutral`` (V, 3), ``quads`` (Q, 4; -1 in the last column for a triangle),
            ``expr_delta`` (E, V, 3), ``expr_names`` (E,), ``id_delta`` (K, V, 3), ``landmarks68`` (68,); y up.

    Raises:
        BackendError: the file is missing, damaged or no such model.
    """
    source = Path(path).expanduser()
    if not source.is_file():
        raise BackendError("there is no such face model", _REMEDY, source)
    try:
        with np.load(source, allow_pickle=False) as stored:
            missing = sorted(set(_NEEDED) - set(stored.files))
            if missing:
                raise BackendError(f"is no face model: it holds no {', '.join(missing)}", _REMEDY, source)
            return _blend_shape_mesh({name: stored[name] for name in _NEEDED})
    except (OSError, ValueError, TypeError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BackendError(f"is no face model, or a damaged one ({error})", _REMEDY, source) from error


def _blend_shape_mesh(stored: dict[str, NDArray[np.generic]]) -> BlendShapeMesh:
    quads = stored["quads"].astype(np.int32)
    parts = quads[np.where(quads < 0, 0, quads).max(axis=1) < _ICT_PARTS]
    four = parts[parts[:, 3] >= 0]
    # Given counter-clockwise as seen from outside.
    triangles = np.concatenate([parts[:, [0, 2, 1]], four[:, [0, 3, 2]]])
    landmarks = stored["landmarks68"].astype(np.int32)
    landmarks[:8], landmarks[9:17] = _ICT_RIGHT_JAW, _ICT_LEFT_JAW
    neutral = stored["neutral"].astype(np.float32)[:_ICT_PARTS]
    unit = np.linalg.norm(neutral[landmarks[45]] - neutral[landmarks[36]])
    scale = _UPSIDE_DOWN / np.float32(unit)

    def shapes(name: str) -> NDArray[np.float32]:
        return np.ascontiguousarray(stored[name].astype(np.float32)[:, :_ICT_PARTS] * scale)

    middle = neutral[landmarks].mean(axis=0)
    return BlendShapeMesh(
        triangles=np.ascontiguousarray(triangles),
        is_face=(triangles.max(axis=1) < _ICT_MASK) | (triangles.min(axis=1) >= _ICT_INNER),
        landmarks=landmarks,
        contours=np.array([_ICT_RIGHT_CONTOUR, _ICT_LEFT_CONTOUR], np.int32),
        neutral=np.ascontiguousarray((neutral - middle) * scale),
        identities=shapes("id_delta"),
        expressions=shapes("expr_delta"),
        pairs=expression_pairs([str(name) for name in stored["expr_names"]]),
    )
