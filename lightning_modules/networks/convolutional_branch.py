"""A content branch without recurrence, ours: the same question as C's, answered by convolutions along time.

The published branch reads every window of 18 frames by itself, from the landmarks' own frame on, so each frame goes
through its LSTM eighteen times, and what was said before is not heard. Here residual convolutions with growing steps
hear half a second on both sides, and neighbouring windows share what they have in common: a stretch of N windows costs
about as much as N frames.

What is heard becomes a few coefficients a frame; the static face becomes as many displacement fields, and the motion is
their weighted sum. A wide mouth so moves as a wide mouth does, whatever is said, and the fields are made once a face.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.networks.content_branch import COORDINATES
from lightning_modules.networks.speech_windows import CHUNK, check_windows, follow_one_another, joined_windows

_SLOPE = 0.2  # of the leaky ReLUs
_KERNEL = 3
_FIRST_FIELDS = 0.05
_FACES_DIFFER = 0.1  # by about so much from the usual face, face units


class ConvolutionalBranch(nn.Module):
    """Takes the place of ``ContentBranch``: same arguments, same result, windows of ``past + 1 + future`` frames.

    Args:
        features: content features of a frame.
        width: channels of the convolutions.
        steps: frames between the taps of the residual blocks, one block each; a block sees as many frames further on
            both sides.
        coefficients: displacement fields of a face.
        face_width: hidden units of the network that makes the fields.
        dropout: of the channels before the coefficients, while training.

    Attributes:
        arguments: its architecture and the sizes as given, so that a checkpoint can say what it belongs to.
        past: frames of a window before the one whose landmarks are wanted: 1 and the sum of the steps.
        future: frames after it, as many.
    """

    usual_face: Tensor

    def __init__(
        self,
        features: int = 80,
        width: int = 160,
        steps: Sequence[int] = (1, 2, 4, 8, 1, 2, 4, 8),
        coefficients: int = 32,
        face_width: int = 96,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.arguments = {
            "architecture": "convolutional",
            "features": features,
            "width": width,
            "steps": list(steps),
            "coefficients": coefficients,
            "face_width": face_width,
        }
        self.features = features
        self.past = self.future = (_KERNEL // 2) * (1 + sum(steps))
        self.entry = nn.Sequential(nn.Conv1d(features, width, _KERNEL), nn.BatchNorm1d(width), nn.LeakyReLU(_SLOPE))
        self.blocks = nn.ModuleList(ResidualBlock(width, step) for step in steps)
        self.coefficients = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, coefficients))
        self.register_buffer("usual_face", torch.from_numpy(frontal_face()).float().flatten())
        self.fields = nn.Sequential(
            nn.Linear(COORDINATES, face_width),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(face_width, coefficients * COORDINATES),
        )
        with torch.no_grad():  # mouths move by hundredths of a face: start from there
            for parameter in self.fields[-1].parameters():
                parameter.mul_(_FIRST_FIELDS)

    @property
    def window(self) -> int:
        """Frames of a window."""
        return self.past + 1 + self.future

    def forward(self, windows: Tensor, static: Tensor) -> Tensor:
        """Displacement of the landmarks from the static face, one for each window, in the frame after its past.

        Windows that are views of one stretch share their frames; in evaluation mode the result is the same as for each
        by itself.

        Args:
            windows: (N, window, F) content features, or (B, N, window, F) of B clips.
            static: static faces, face units: (N, 204) or (1, 204) for N windows, (B, 204) or (B, N, 204) for windows
                of B clips.

        Returns:
            (N, 204) or (B, N, 204), face units, point by point (x, y, z).

        Raises:
            ValueError: if shapes do not fit.
        """
        check_windows(windows, self.features)
        if windows.shape[-2] != self.window:
            raise ValueError(f"windows have {self.window} frames, got {windows.shape[-2]}")
        leading = windows.shape[:-2]
        if static.ndim == 2 and len(leading) == 2:
            static = static[:, None]
        try:
            static.expand(*leading, COORDINATES)  # refuses what does not fit; faces stay as few as they are
        except RuntimeError as error:
            raise ValueError(
                f"static faces {tuple(static.shape)} do not go with windows {tuple(windows.shape)}"
            ) from error
        together = follow_one_another(windows)
        heard = self._hear(joined_windows(windows) if together else windows.flatten(0, -3))
        return self._move(heard.reshape(*leading, -1), static)

    @torch.no_grad()
    def displacements(self, features: Tensor, static: Tensor, frames: Tensor, *, chunk: int = CHUNK) -> Tensor:
        """The same on chosen windows of one clip, with bounded memory; for inference.

        Args:
            features: (T, F) content features of the clip.
            static: (204,) or (1, 204) static face, face units.
            frames: (N,) int64, first frames of the windows that are wanted, each from 0 to T - window.
            chunk: windows evaluated at once.

        Returns:
            (N, 204), face units.

        Raises:
            ValueError: if shapes do not fit, a frame is out of range, or the branch is in training mode.
        """
        if self.training:
            raise ValueError("displacements of single frames are for inference: call eval() first")
        last = len(features) - self.window
        if features.ndim != 2 or frames.ndim != 1:
            raise ValueError(f"(T, F) features and (N,) frames are needed, got {features.shape} and {frames.shape}")
        made = features.new_empty(len(frames), COORDINATES)
        if not len(frames):
            return made
        first, final = int(frames.min()), int(frames.max())
        if not 0 <= first <= final <= last:
            raise ValueError(f"windows must begin from 0 to {last}, got {first} to {final}")
        face = static.reshape(1, COORDINATES)
        for start in range(first, final + 1, chunk):
            wanted = (frames >= start) & (frames < start + chunk)
            heard = self._hear(features[None, start : min(start + chunk, final + 1) + self.window - 1])[0]
            made[wanted] = self._move(heard[frames[wanted] - start], face)
        return made

    def _hear(self, frames: Tensor) -> Tensor:
        """Features (B, T, F) to what is heard in each window: (B, T - window + 1, coefficients)."""
        x = self.entry(frames.transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        made: Tensor = self.coefficients(x.transpose(1, 2))
        return made

    def _move(self, heard: Tensor, static: Tensor) -> Tensor:
        """Coefficients (..., N, K) of faces (..., 1 | N, 204) to displacements (..., N, 204)."""
        face = (static.to(heard.dtype) - self.usual_face) / _FACES_DIFFER
        fields = self.fields(face).unflatten(-1, (-1, COORDINATES))
        made: Tensor
        if static.shape[-2] == 1:
            made = heard @ fields.squeeze(-3)
            return made
        made = (heard[..., None, :] @ fields).squeeze(-2)
        return made


class ResidualBlock(nn.Module):
    """Two convolutions along time beside a way around them: (B, C, T) to (B, C, T - 2 step), without padding.

    Args:
        width: channels C.
        step: frames between the three taps.
    """

    def __init__(self, width: int, step: int) -> None:
        super().__init__()
        self.step = step
        self.wide = nn.Conv1d(width, width, _KERNEL, dilation=step, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.narrow = nn.Conv1d(width, width, 1, bias=False)
        self.second_norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        made = functional.leaky_relu(self.norm(self.wide(x)), _SLOPE)
        made = self.second_norm(self.narrow(made))
        return functional.leaky_relu(x[..., self.step : -self.step] + made, _SLOPE)
