"""The differentiable landmark warp W: a thin-plate spline through the landmarks (Cole et al. 2017).

Convention: landmarks (B, N, 2 | 3), order (x, y[, z]), pixels of the frame, pixel centres at integers. The spline is
fitted at the *target* points, where the flow is known to be ``source - target``, so the result is a backward sampling
map: the picture that shows ``source`` is read so that it shows ``target``. (Paper W, used in Eq. 3, 7 and the mask
warps; stage 2, section 4.1; auxiliary, section 5. The published ``flow`` is target - source in (row, column), read at
``position - flow``: the same map.)

Flow at z: ``sum_i w_i phi(|z - q_i|) + affine(z)`` with ``phi(r) = r^2 log r``, written ``d log(d) / 2`` with d = r^2.
Points are centred and divided by half the longer image side, distances are direct differences: in pixels the
condition number is about 1e12 and float32 is off by 0.3 px, here it is about 1e4. The spline itself does not depend on
that scaling. The system is solved in float64 outside autocast (on the CPU where a device has no float64).

Without anchors the affine part extrapolates freely towards the frame's corners, as in the published code.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from lightning_modules.geometry.flow_map import frame_anchors
from lightning_modules.geometry.points import Size, constant, frame_size, paired_points, plane_points, require_finite
from lightning_modules.geometry.sampling import Padding, map_of, sample

MERGE_DISTANCE: Final = 1e-3
"""Control points closer than this (pixels) are one point to the spline; see :class:`SplineBasis`."""

_SINGULAR: Final = 1e-13
_TINY: Final = 1e-12  # added to squared distances, so that the logarithm is finite on a point itself (1e-4 px at 256)

# Numbers of the kernel between grid and points held at once: what fits the processor's cache when nothing is kept for a
# backward pass; when it is, more than the second number (64 MB in float32) is computed again instead.
_ELEMENTS_AT_ONCE: Final = 1 << 19
_ELEMENTS_KEPT: Final = 1 << 24


def _twice_kernel(squared_distance: Tensor) -> Tensor:
    """``2 r^2 log r`` from r^2 > 0; in place where no gradient is asked for."""
    if torch.is_grad_enabled() and squared_distance.requires_grad:
        return squared_distance * squared_distance.log()
    return squared_distance.log().mul_(squared_distance)


class SplineBasis:
    """All that depends on the target points only: the factorised system and the kernel on the grid.

    One basis serves any number of sources, images and masks: each costs a back-substitution and a matrix product. With
    differentiable targets all of them belong into one backward pass.

    Coincident target points would make the system singular, or let it swing wildly between contradicting flows. Points
    closer than :data:`MERGE_DISTANCE` are merged: the spline passes through the mean of their flows. Points that are
    close but further apart than that are honoured; where their flows differ much (a closing mouth) the field between
    them is steep, and some ``regularization`` calms it.

    Args:
        target: (B, N, 2 | 3) control points, N >= 3 and not all on one line, pixels.
        size: frame size.
        anchors: add eight points of the frame border (corners, mid-edges) that do not move.
        regularization: lambda >= 0, added to the kernel's diagonal in normalised coordinates. 0 interpolates; 1e-3
            to 1e-2 smooths by fractions of a pixel to pixels.
        stride: evaluate on every stride-th pixel and interpolate bilinearly between; error about 0.015 px mean, 0.6 px
            at the landmarks themselves for 4.
        keep_kernel: hold the kernel on the grid (H W (N + 3) / stride^2 numbers a sample) for further calls with other
            sources; without it only the factorisation is reused.
        dtype: of the evaluation on the grid and of the results; None: that of the target, at least float32. float32
            is within 0.003 px of float64.
        checked: ask whether values are finite and the points determine a spline, which waits for the device. False:
            they are known to; otherwise what comes out holds NaN or is meaningless.

    Raises:
        ValueError: if an option is out of range, a value is not finite, or the points determine no spline.
    """

    def __init__(
        self,
        target: Tensor,
        size: Size = 256,
        *,
        anchors: bool = False,
        regularization: float = 0.0,
        stride: int = 1,
        keep_kernel: bool = False,
        dtype: torch.dtype | None = None,
        checked: bool = True,
    ) -> None:
        points = plane_points(target, "target")
        self._checked = checked
        if checked:
            require_finite(points, "target landmarks")
        if stride < 1 or regularization < 0:
            raise ValueError(f"stride must be >= 1 and regularization >= 0, got {stride} and {regularization}")
        self.size = frame_size(size)
        self.stride = stride
        self.dtype = dtype or points.dtype
        self._target = points
        self._landmark_count = points.shape[1]
        if anchors:
            border = frame_anchors(self.size, "frame", points)
            points = torch.cat((points, border.expand(len(points), -1, -1)), dim=1)
        with torch.autocast(points.device.type, enabled=False):
            self._controls = self._normalized(self._for_solving(points))
            self._merging, self._kept = self._merge_rule(self._controls.detach())
            self._factor(regularization)
        self._keep_kernel = keep_kernel
        self._kernel: Tensor | None = None

    @staticmethod
    def _for_solving(values: Tensor) -> Tensor:
        return (values.cpu() if values.device.type == "mps" else values).double()

    def _normalized(self, points: Tensor) -> Tensor:
        height, width = self.size
        center = constant(((width - 1) / 2, (height - 1) / 2), points)
        return (points - center) * (2.0 / max(height, width))

    def _merge_rule(self, controls: Tensor) -> tuple[Tensor, Tensor]:
        """Averaging matrix (B, M, M) over coincident points, and which points (B, M) represent their place."""
        distance = torch.cdist(controls, controls, compute_mode="donot_use_mm_for_euclid_dist")
        near = distance < MERGE_DISTANCE * 2.0 / max(self.size)
        earlier = torch.tril(near, diagonal=-1).any(-1)
        return near.to(controls.dtype) / near.sum(-1, keepdim=True), ~earlier

    def _factor(self, regularization: float) -> None:
        controls, kept = self._controls, self._kept
        batch, count = controls.shape[:2]
        difference = controls[:, :, None] - controls[:, None, :]
        identity = torch.eye(count, dtype=controls.dtype, device=controls.device)
        kernel = 0.5 * _twice_kernel(difference.square().sum(-1) + _TINY) + regularization * identity
        both = kept[:, :, None] & kept[:, None, :]
        kernel = torch.where(both, kernel, identity)  # a merged point's weight is its own equation: weight = 0
        affine = torch.cat((controls, torch.ones_like(controls[..., :1])), dim=-1) * kept[..., None]
        corner = controls.new_zeros(batch, 3, 3)
        system = torch.cat(
            (torch.cat((kernel, affine), dim=2), torch.cat((affine.transpose(1, 2), corner), dim=2)), dim=1
        )
        self._factors, self._pivots, _ = torch.linalg.lu_factor_ex(system)
        if self._checked:
            self._require_solvable()

    def _require_solvable(self) -> None:
        diagonal = self._factors.detach().diagonal(dim1=-2, dim2=-1).abs()
        weakest = diagonal.amin(-1) / diagonal.amax(-1)
        if not bool((weakest > _SINGULAR).all()):  # also catches NaN
            bad = (~(weakest > _SINGULAR)).nonzero().flatten().tolist()
            raise ValueError(
                f"target points of samples {bad} determine no spline: fewer than three places, or all on one line"
            )

    def coefficients(self, values: Tensor) -> Tensor:
        """Spline through values at the control points: kernel weights, then the affine part (x, y, 1).

        Args:
            values: (B, M, C) in float64, M = N, or N + 8 with anchors.

        Returns:
            (B, M + 3, C) float64, in normalised coordinates.
        """
        merged = (self._merging @ values) * self._kept[..., None]
        padding = values.new_zeros(len(values), 3, values.shape[-1])
        solved: Tensor = torch.linalg.lu_solve(self._factors, self._pivots, torch.cat((merged, padding), dim=1))
        return solved

    def _nodes(self, axis: int, device: torch.device) -> Tensor:
        """Normalised coordinates of the grid nodes along one axis (0: x, 1: y); the last lies on or past the edge."""
        length = self.size[1 - axis]
        nodes = torch.arange(-(-(length - 1) // self.stride) + 1, device=device, dtype=self.dtype)
        return (nodes * self.stride - (length - 1) / 2) * (2.0 / max(self.size))

    def _kernel_rows(self, controls: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
        """Twice the kernel between the nodes of some rows and the control points, (B, h, w, M)."""
        across = (columns[:, None] - controls[:, None, :, 0]).square()  # (B, w, M)
        down = (rows[:, None] - controls[:, None, :, 1]).square() + _TINY  # (B, h, M)
        return _twice_kernel(down[:, :, None] + across[:, None])

    @staticmethod
    def _evaluated(kernel: Tensor, coefficients: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
        """Twice the kernel (B, h, w, M) and coefficients (B, M + 3, 2) to flow (B, h, w, 2)."""
        weights, affine = 0.5 * coefficients[:, :-3], coefficients[:, -3:, None, None]
        if kernel.device.type == "cpu":
            bent = torch.bmm(kernel.flatten(1, 2), weights).view(*kernel.shape[:3], 2)
        else:  # large weights of both signs cancel: reduced-precision matrix units would cost tenths of a pixel
            bent = torch.stack([(kernel * weights[:, None, None, :, k]).sum(-1) for k in (0, 1)], dim=-1)
        return bent + affine[:, 0] * columns[:, None] + affine[:, 1] * rows[:, None, None] + affine[:, 2]

    def _node_flow(self, coefficients: Tensor) -> Tensor:
        """Flow on the grid nodes, (B, h, w, 2), pixels."""
        device = coefficients.device
        controls = self._controls.to(device=device, dtype=self.dtype)
        columns, rows = self._nodes(0, device), self._nodes(1, device)
        if self._keep_kernel:
            kernel = self._kernel if self._kernel is not None else self._kernel_rows(controls, columns, rows)
            if torch.is_grad_enabled() or not controls.requires_grad:  # else later calls would miss their gradient
                self._kernel = kernel
            return self._evaluated(kernel, coefficients, columns, rows)

        def part(controls: Tensor, coefficients: Tensor, rows: Tensor) -> Tensor:
            return self._evaluated(self._kernel_rows(controls, columns, rows), coefficients, columns, rows)

        per_row = controls.shape[0] * controls.shape[1] * len(columns)
        differentiated = torch.is_grad_enabled() and (controls.requires_grad or coefficients.requires_grad)
        if differentiated and per_row * len(rows) <= _ELEMENTS_KEPT:
            return part(controls, coefficients, rows)
        chunks = torch.split(rows, max(1, (_ELEMENTS_KEPT if differentiated else _ELEMENTS_AT_ONCE) // per_row))
        if differentiated:
            parts = [checkpoint(part, controls, coefficients, chunk, use_reentrant=False) for chunk in chunks]
        else:
            parts = [part(controls, coefficients, chunk) for chunk in chunks]
        return torch.cat(parts, dim=1)

    def flow(self, source: Tensor) -> Tensor:
        """Dense flow ``source position - own position``; differentiable in source and target.

        Args:
            source: (B | 1, N, 2 | 3) where the control points are read from, pixels.

        Returns:
            (B, H, W, 2), order (x, y), pixels.

        Raises:
            ValueError: if shapes do not match or a value is not finite.
        """
        source, target = paired_points(source, self._target)
        if len(target) != len(self._target):
            raise ValueError(f"{len(source)} sources do not go with a basis of {len(self._target)} targets")
        if self._checked:
            require_finite(source, "source landmarks")
        with torch.autocast(source.device.type, enabled=False):
            values = self._for_solving(source) - self._for_solving(target)
            anchors = self._controls.shape[1] - self._landmark_count
            values = functional.pad(values, (0, 0, 0, anchors))
            coefficients = self.coefficients(values).to(device=source.device, dtype=self.dtype)
            nodes = self._node_flow(coefficients)
            if self.stride == 1:
                return nodes
            fine = [(count - 1) * self.stride + 1 for count in nodes.shape[1:3]]
            planes = nodes.movedim(-1, 1).contiguous()
            dense = functional.interpolate(planes, size=fine, mode="bilinear", align_corners=True)
            return dense[:, :, : self.size[0], : self.size[1]].movedim(1, -1)

    def sampling_map(self, source: Tensor) -> Tensor:
        """Sampling map ``own position + flow``: (B, H, W, 2), order (x, y), pixels. Arguments as :meth:`flow`."""
        return map_of(self.flow(source))


def spline_flow(
    source: Tensor,
    target: Tensor,
    size: Size = 256,
    *,
    anchors: bool = False,
    regularization: float = 0.0,
    stride: int = 1,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Sampling map (flow map) of the thin-plate warp W, in one call; see :class:`SplineBasis`.

    Args:
        source: (B | 1, N, 2 | 3) landmarks in the picture to read from, pixels of the frame.
        target: (B | 1, N, 2 | 3) landmarks in the picture to make.
        size: frame size of both pictures.
        anchors: keep eight points of the frame border still. False is the published setting.
        regularization: lambda >= 0 in normalised coordinates; 0 (published) interpolates exactly.
        stride: evaluate on every stride-th pixel only; 4 for fast inference.
        dtype: of evaluation and result; None: that of the target.

    Returns:
        (B, H, W, 2) positions ``own position + flow``, order (x, y), pixels.

    Raises:
        ValueError: see :class:`SplineBasis`.
    """
    source, target = paired_points(source, target)
    basis = SplineBasis(target, size, anchors=anchors, regularization=regularization, stride=stride, dtype=dtype)
    return basis.sampling_map(source)


def warp_image(
    image: Tensor,
    source: Tensor,
    target: Tensor,
    *,
    anchors: bool = False,
    regularization: float = 0.0,
    stride: int = 1,
    padding: Padding = "border",
) -> Tensor:
    """The paper's W: an image that shows ``source`` warped to show ``target``; differentiable in all three.

    Args:
        image: (B | 1, C, H, W) floating point, any range.
        source: (B | 1, N, 2 | 3) landmarks in the image, pixels of the image.
        target: (B | 1, N, 2 | 3) landmarks in the result.
        anchors: see :func:`spline_flow`.
        regularization: see :func:`spline_flow`.
        stride: see :func:`spline_flow`.
        padding: outside the image: ``"border"`` (published) or ``"zeros"``.

    Returns:
        (B, C, H, W) in the dtype of the image.

    Raises:
        ValueError: see :class:`SplineBasis`.
    """
    size = (image.shape[-2], image.shape[-1])
    sampling_map = spline_flow(source, target, size, anchors=anchors, regularization=regularization, stride=stride)
    return sample(image, sampling_map, padding)
