"""A content branch without recurrence, ours: the same question as C's, answered by convolutions along time.

The published branch reads every window by itself, so each frame goes through its LSTM eighteen times. Here neighbouring
windows share what they have in common: a stretch of N windows costs about as much as N frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.content_branch import COORDINATES
from lightning_modules.networks.speech_windows import CHUNK, WINDOW, check_windows

_KERNELS = (6, 5, 5, 5)  # frames; together they see a window, 18
_SLOPE = 0.2  # of the leaky ReLUs


class ConvolutionalBranch(nn.Module):
    """Takes the place of ``ContentBranch``: same arguments, same result; 446,924 parameters by default.

    Args:
        features: content features of a frame.
        width: channels of the convolutions.
        head_width: units of the layer that joins them with the static face.
        dropout: of the channels before that layer, while training.

    Attributes:
        arguments: its architecture and the sizes as given, so that a checkpoint can say what it belongs to.
    """

    def __init__(self, features: int = 80, width: int = 128, head_width: int = 256, dropout: float = 0.1) -> None:
        super().__init__()
        self.arguments = {
            "architecture": "convolutional",
            "features": features,
            "width": width,
            "head_width": head_width,
        }
        self.features = features
        self.layers = nn.ModuleList()
        for index, kernel in enumerate(_KERNELS):
            given = width if index else features
            self.layers.append(
                nn.Sequential(nn.Conv1d(given, width, kernel), nn.BatchNorm1d(width), nn.LeakyReLU(_SLOPE))
            )
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width + COORDINATES, head_width),
            nn.BatchNorm1d(head_width),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(head_width, COORDINATES),
        )

    def forward(self, windows: Tensor, static: Tensor) -> Tensor:
        """Displacement of the landmarks from the static face, one for each window.

        Windows of a clip that follow one another are found to do so and share their frames; in evaluation mode the
        result is the same as for each by itself.

        Args:
            windows: (N, 18, F) content features, or (B, N, 18, F) of B clips.
            static: static faces, face units: (N, 204) or (1, 204) for N windows, (B, 204) or (B, N, 204) for windows
                of B clips.

        Returns:
            (N, 204) or (B, N, 204), face units, point by point (x, y, z).

        Raises:
            ValueError: if shapes do not fit.
        """
        check_windows(windows, self.features)
        if windows.shape[-2] != WINDOW:
            raise ValueError(f"windows have {WINDOW} frames, got {windows.shape[-2]}")
        leading = windows.shape[:-2]
        if static.ndim == 2 and len(leading) == 2:
            static = static[:, None]
        try:
            static = static.expand(*leading, COORDINATES)
        except RuntimeError as error:
            raise ValueError(
                f"static faces {tuple(static.shape)} do not go with windows {tuple(windows.shape)}"
            ) from error
        heard = (
            self._hear(joined_windows(windows)) if follow_one_another(windows) else self._hear(windows.flatten(0, -3))
        )
        return self._move(heard.reshape(*leading, -1), static)

    @torch.no_grad()
    def displacements(self, features: Tensor, static: Tensor, frames: Tensor, *, chunk: int = CHUNK) -> Tensor:
        """The same on chosen windows of one clip, with bounded memory; for inference.

        Args:
            features: (T, F) content features of the clip.
            static: (204,) or (1, 204) static face, face units.
            frames: (N,) int64, the landmark frames that are wanted, each from 0 to T - 18.
            chunk: windows evaluated at once.

        Returns:
            (N, 204), face units.

        Raises:
            ValueError: if shapes do not fit, a frame is out of range, or the branch is in training mode.
        """
        if self.training:
            raise ValueError("displacements of single frames are for inference: call eval() first")
        last = len(features) - WINDOW
        if features.ndim != 2 or frames.ndim != 1:
            raise ValueError(f"(T, F) features and (N,) frames are needed, got {features.shape} and {frames.shape}")
        made = features.new_empty(len(frames), COORDINATES)
        if not len(frames):
            return made
        first, final = int(frames.min()), int(frames.max())
        if not 0 <= first <= final <= last:
            raise ValueError(f"windows must begin from 0 to {last}, got {first} to {final}")
        for start in range(first, final + 1, chunk):
            wanted = (frames >= start) & (frames < start + chunk)
            heard = self._hear(features[None, start : min(start + chunk, final + 1) + WINDOW - 1])[0]
            rows = heard[frames[wanted] - start]
            made[wanted] = self._move(rows, static.reshape(1, COORDINATES).expand(len(rows), -1))
        return made

    def _hear(self, frames: Tensor) -> Tensor:
        """Features (B, T, F) to what is heard in each window: (B, T - 17, width)."""
        x = frames.transpose(1, 2)
        for layer in self.layers:
            x = layer(x)
        return x.transpose(1, 2)

    def _move(self, heard: Tensor, static: Tensor) -> Tensor:
        joined = torch.cat((heard, static.to(heard.dtype)), dim=-1)
        made: Tensor = self.head(joined.flatten(0, -2))
        return made.reshape(*heard.shape[:-1], COORDINATES)


def follow_one_another(windows: Tensor) -> bool:
    """Whether the windows (..., N, 18, F) of each clip begin one frame after the other; no for a single window."""
    return windows.shape[-3] > 1 and torch.equal(windows[..., 1:, :-1, :], windows[..., :-1, 1:, :])


def joined_windows(windows: Tensor) -> Tensor:
    """The frames of windows that follow one another: (B, N, 18, F) to (B, N + 17, F); without B as if it were 1."""
    joined = torch.cat((windows[..., 0, :], windows[..., -1, 1:, :]), dim=-2)
    return joined.reshape(-1, *joined.shape[-2:])
