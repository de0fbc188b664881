"""A 3D face made of shapes, reduced to its 68 landmarks: neutral + Σ identity + Σ expression.

The file is an ``.npz`` with ``neutral`` (V, 3), ``expr_delta`` (E, V, 3), ``expr_names`` (E,), ``id_delta`` (K, V, 3)
and ``landmarks68`` (68,), the vertex of each landmark; y up, z towards the viewer. ICT-FaceKit's light model (MIT) in
that form has 26,719 vertices, 57 expressions named like ARKit's and 100 identities whose coefficients are N(0, 1).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_modules.errors import BackendError

_REMEDY = "give the packed ICT-FaceKit model (an .npz with neutral, expr_delta, expr_names, id_delta, landmarks68)"
_NAMES = ("neutral", "expr_delta", "id_delta", "landmarks68", "expr_names")
_UPSIDE_DOWN = np.array([1.0, -1.0, 1.0])


@dataclass(frozen=True, eq=False)
class ShapeFace:
    """The landmarks of a 3D face and how they move; x right, y down, z towards the viewer, units of the file.

    Attributes:
        neutral: (68, 3) float64, the average identity at rest.
        expressions: (E, 68, 3) float64 displacements at weight 1.
        expression_names: E names, e.g. ``"jawOpen"``, ``"mouthSmile_L"``.
        identities: (K, 68, 3) float64 displacements at coefficient 1.
    """

    neutral: NDArray[np.float64]
    expressions: NDArray[np.float64]
    expression_names: tuple[str, ...]
    identities: NDArray[np.float64]

    def identity(self, coefficients: NDArray[np.floating]) -> NDArray[np.float64]:
        """The face of an identity at rest: (68, 3).

        Args:
            coefficients: (K,) or fewer, N(0, 1) in the population.
        """
        used = self.identities[: len(coefficients)]
        return self.neutral + np.tensordot(np.asarray(coefficients, np.float64), used, axes=1)

    def displacement(self, weights: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float64]:
        """How expressions move the landmarks of any identity.

        Args:
            weights: (T,) by the name of the expression, 0 at rest, 1 fully there; at least one.

        Returns:
            (T, 68, 3).

        Raises:
            ValueError: a name is unknown.
        """
        unknown = sorted(set(weights) - set(self.expression_names))
        if unknown or not weights:
            raise ValueError(f"no expressions of this face: {', '.join(unknown) or 'none given'}")
        chosen = self.expressions[[self.expression_names.index(name) for name in weights]]
        return np.tensordot(np.stack([np.asarray(w, np.float64) for w in weights.values()], axis=1), chosen, axes=1)


def read_shape_face(path: str | Path) -> ShapeFace:
    """Read the landmarks of a 3D face model. Nothing stored in the file is executed.

    Raises:
        BackendError: the file is missing, is no such model, or damaged.
    """
    source = Path(path)
    if not source.is_file():
        raise BackendError("there is no such face model", _REMEDY, source)
    try:
        with np.load(source, allow_pickle=False) as stored:
            missing = sorted(set(_NAMES) - set(stored.files))
            if missing:
                raise BackendError(f"is no face model: it holds no {', '.join(missing)}", _REMEDY, source)
            points = np.asarray(stored["landmarks68"], np.int64)
            neutral, expressions, identities = (stored[name][..., points, :] * _UPSIDE_DOWN for name in _NAMES[:3])
            names = tuple(str(name) for name in stored["expr_names"])
    except (OSError, ValueError, TypeError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BackendError(f"is no face model, or a damaged one ({error})", _REMEDY, source) from error
    shapes = neutral.shape, expressions.shape[1:], identities.shape[1:]
    if any(shape != (68, 3) for shape in shapes) or len(expressions) != len(names):
        raise BackendError(f"is no face model: its landmarks have the shapes {shapes}", _REMEDY, source)
    return ShapeFace(neutral, expressions, names, identities)
