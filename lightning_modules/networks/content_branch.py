"""The content branch C: what the lips do, from what is said (paper §3.2; reference stage1 §6).

Every feature frame goes through a small prior network, an LSTM reads the 18 frames of a window, and its last output
together with the static face gives the displacement of the 68 landmarks in the window's first frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.speech_windows import CHUNK, WINDOW, check_windows, window_chunks

COORDINATES = 204
"""68 landmarks, point by point (x, y, z)."""

_SLOPE = 0.2  # of the leaky ReLUs


class ContentBranch(nn.Module):
    """Windows of content features and a static face to landmark displacements; 1,965,677 parameters by default.

    Args:
        features: content features of a frame.
        prior_width: hidden units of the network that every frame goes through first.
        prior_features: what it makes of a frame.
        hidden: units of the LSTM.
        layers: of the LSTM.
        head_width: units of the first layer after it; the second one has half.
        dropout: between the layers of the LSTM, while training.

    Attributes:
        arguments: the sizes as given, so that a checkpoint can say what it belongs to.
        past: frames of a window before the one whose landmarks are wanted: none.
        future: frames after it, 17 as published.
        window: frames of a window.
    """

    past, future, window = 0, WINDOW - 1, WINDOW

    def __init__(
        self,
        features: int = 80,
        prior_width: int = 256,
        prior_features: int = 161,
        hidden: int = 256,
        layers: int = 3,
        head_width: int = 512,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.arguments = {
            "features": features,
            "prior_width": prior_width,
            "prior_features": prior_features,
            "hidden": hidden,
            "layers": layers,
            "head_width": head_width,
        }
        self.features = features
        self.prior = nn.Sequential(
            nn.Linear(features, prior_width),
            nn.BatchNorm1d(prior_width),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(prior_width, prior_features),
        )
        self.recurrence = nn.LSTM(
            prior_features, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.head = nn.Sequential(
            nn.Linear(hidden + COORDINATES, head_width),
            nn.BatchNorm1d(head_width),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(head_width, head_width // 2),
            nn.BatchNorm1d(head_width // 2),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(head_width // 2, COORDINATES),
        )

    def forward(self, windows: Tensor, static: Tensor) -> Tensor:
        """Displacement of the landmarks from the static face, one for each window.

        Args:
            windows: (N, 18, F) content features, or (B, N, 18, F) of B clips; another number of frames works too.
            static: static faces, face units (outer-eye distance 1, y down): (N, 204) or (1, 204) for N windows,
                (B, 204) or (B, N, 204) for windows of B clips.

        Returns:
            (N, 204) or (B, N, 204), face units, point by point (x, y, z). Add the static face yourself.

        Raises:
            ValueError: if shapes do not fit.
        """
        check_windows(windows, self.features)
        frames = self.prior(windows.flatten(0, -2)).unflatten(0, windows.shape[:-1])
        return self._from_prior(frames, self._static_rows(static, windows.shape[:-2]))

    @torch.no_grad()
    def displacements(self, features: Tensor, static: Tensor, frames: Tensor, *, chunk: int = CHUNK) -> Tensor:
        """The same as :meth:`forward` on chosen windows of one clip, with bounded memory; for inference.

        The prior network sees every frame once, not once for each window that holds it, and windows are cut ``chunk``
        at a time.

        Args:
            features: (T, F) content features of the clip.
            static: (204,) or (1, 204) static face, face units.
            frames: (N,) int64, the landmark frames that are wanted, each from 0 to T - 18.
            chunk: most windows evaluated at once.

        Returns:
            (N, 204), face units.

        Raises:
            ValueError: if shapes do not fit, a frame is out of range, or the branch is in training mode, where the
                batch statistics depend on the chunks.
        """
        if self.training:
            raise ValueError("displacements of single frames are for inference: call eval() first")
        face = static.reshape(1, COORDINATES)
        seen = torch.cat([self.prior(part) for part in torch.split(features, 32 * chunk)])
        parts = [self._from_prior(part, face.expand(len(part), -1)) for part in window_chunks(seen, frames, chunk)]
        return torch.cat(parts) if parts else features.new_empty(0, COORDINATES)

    def _static_rows(self, static: Tensor, leading: torch.Size) -> Tensor:
        if static.ndim == 2 and len(leading) == 2:
            static = static[:, None]
        try:
            return static.expand(*leading, COORDINATES)
        except RuntimeError as error:
            raise ValueError(
                f"static faces {tuple(static.shape)} do not go with windows (..., {tuple(leading)}, ...)"
            ) from error

    def _from_prior(self, frames: Tensor, static: Tensor) -> Tensor:
        leading = frames.shape[:-2]
        read, _ = self.recurrence(frames.flatten(0, -3))
        joined = torch.cat((read[:, -1], static.reshape(len(read), COORDINATES).to(read.dtype)), dim=-1)
        made: Tensor = self.head(joined)
        return made.reshape(*leading, COORDINATES)
