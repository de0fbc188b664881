"""The portrait generator G: photo, landmarks and flow maps to a line drawing in the target pose (paper §3.3, Fig. 3).

Convention: pictures are (B, C, H, W) in [-1, 1]; H and W are multiples of 4, any size from 8 up. Flow maps as in
:mod:`~lightning_modules.networks.feature_warping`. Reference stage2 §1.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, cast, get_args

from torch import Tensor, nn

from lightning_modules.errors import ConfigError
from lightning_modules.networks.blocks import BlockType
from lightning_modules.networks.feature_warping import Compat
from lightning_modules.networks.guided_head import UNDECIDED, GuideEncoder
from lightning_modules.networks.image_decoder import DrawingHead, ImageDecoder
from lightning_modules.networks.image_encoder import PHOTO_CHANNELS, ImageEncoder
from lightning_modules.networks.initialization import initialize
from lightning_modules.networks.input_checks import check_grid, check_pictures, fill_batch
from lightning_modules.networks.landmark_encoder import LandmarkEncoder
from lightning_modules.networks.transfer import Transfer

SIZE_MULTIPLE: Final = 4
SMALLEST_SIZE: Final = 8


class PortraitGenerator(nn.Module):
    """Warping image encoders, landmark encoder, transfer module, decoder.

    The drawing of one frame never depends on the other frames of its batch.

    Args:
        width: channels of the image features at full size; 4 ``width`` at 1/4 size.
        landmark_width: channels of the landmark encoder's first layer.
        blocks: number of residual blocks.
        landmark_blocks: which of them, counted from 0, read the landmarks.
        block_type: ``"separable"`` for light residual blocks and merging; see
            :data:`~lightning_modules.networks.blocks.BlockType`.
        output_channels: 1 for line drawings, 3 for colour styles.
        compat: ``"official"`` for the numerics of published weights, None for the corrected ones.
        warp_a: use flow map A (False: the ablation "flow B only").
        warp_b: use flow map B (False: the ablation "flow A only").
        scales: where features are warped: 0 full, 1 half, 2 quarter size (one of them: the single-scale ablation).
        head: ``"subpixel"`` computes the last layers at half size; ``"guided"`` does so over a guide, the static
            drawing in the target pose, which it corrects; see :mod:`~lightning_modules.networks.guided_head`.
        undecided: of a guided generator, change that does not show, of the 2 from white to black.

    Attributes:
        arguments: all of the above as given, so that a checkpoint can say what it belongs to.

    Raises:
        ConfigError: if the arguments contradict each other.
    """

    def __init__(  # noqa: PLR0913  each argument is one choice of the architecture
        self,
        width: int = 64,
        landmark_width: int = 8,
        blocks: int = 9,
        landmark_blocks: Collection[int] = (0, 3, 6),
        block_type: BlockType = "residual",
        output_channels: int = 1,
        compat: Compat = None,
        *,
        warp_a: bool = True,
        warp_b: bool = True,
        scales: Sequence[int] = (0, 1, 2),
        head: DrawingHead = "full",
        undecided: float = UNDECIDED,
    ) -> None:
        super().__init__()
        choices: tuple[tuple[str, object, tuple[object, ...]], ...] = (
            ("block type", block_type, get_args(BlockType)),
            ("head", head, get_args(DrawingHead)),
            ("compat", compat, ("official", None)),
        )
        for name, value, allowed in choices:
            if value not in allowed:
                raise ConfigError(f"a generator with {name} {value!r}", f"use one of {', '.join(map(repr, allowed))}")
        if not 0.0 <= undecided < 2.0:
            raise ConfigError(f"a generator that leaves changes of {undecided} undecided", "give 0 to below 2")
        if min(output_channels, landmark_width) < 1:
            raise ConfigError(
                f"a generator with {output_channels} output channels and landmark width {landmark_width}",
                "use at least 1 of each",
            )
        self.arguments = {
            "width": width,
            "landmark_width": landmark_width,
            "blocks": blocks,
            "landmark_blocks": tuple(landmark_blocks),
            "block_type": block_type,
            "output_channels": output_channels,
            "compat": compat,
            "warp_a": warp_a,
            "warp_b": warp_b,
            "scales": tuple(scales),
            "head": head,
            "undecided": undecided,
        }
        self.warp_a = warp_a
        self.warp_b = warp_b
        self.scales = tuple(scales)
        self.image_encoder = ImageEncoder(
            width, scales=scales, warp_a=warp_a, warp_b=warp_b, block_type=block_type, compat=compat
        )
        self.landmark_encoder = LandmarkEncoder(landmark_width)
        self.transfer = Transfer(
            4 * width,
            self.landmark_encoder.output_channels,
            blocks=blocks,
            landmark_blocks=landmark_blocks,
            block_type=block_type,
        )
        self.guide_encoder = GuideEncoder(output_channels, 4 * width) if head == "guided" else None
        self.image_decoder = ImageDecoder(4 * width, output_channels, head=head, undecided=undecided)
        initialize(self)
        self.image_decoder.equalize_phases()

    @property
    def guided(self) -> bool:
        """Whether it draws over a guide."""
        return self.guide_encoder is not None

    def encode(self, photo: Tensor) -> tuple[Tensor, ...]:
        """Everything that depends on the photo alone; computed once per photo.

        Args:
            photo: (B, 3, H, W) in [-1, 1], on a white background.

        Returns:
            One tensor (B, C, H / 2^L, W / 2^L) for each scale L: features before the warp.

        Raises:
            ValueError: if the shape is another one.
        """
        check_pictures("photo", photo, PHOTO_CHANNELS, multiple=SIZE_MULTIPLE, smallest=SMALLEST_SIZE)
        return self.image_encoder.encode(photo)

    def encode_landmarks(self, landmark_image: Tensor) -> Tensor:
        """Features of the source landmarks (constant per photo) or of the target landmarks.

        Args:
            landmark_image: (B, 1, H, W) in [-1, 1], +1 inside discs at the landmarks.

        Returns:
            (B, 2 landmark_width, H/4, W/4).

        Raises:
            ValueError: if the shape is another one.
        """
        check_pictures("landmark image", landmark_image, 1, multiple=SIZE_MULTIPLE, smallest=SMALLEST_SIZE)
        return cast("Tensor", self.landmark_encoder(landmark_image))

    def draw(
        self,
        encoded: Sequence[Tensor],
        source_landmark_features: Tensor,
        target_landmark_features: Tensor,
        grid_b: Tensor | None = None,
        flow_a: Tensor | None = None,
        validity_a: Tensor | None = None,
        guide: Tensor | None = None,
    ) -> Tensor:
        """Everything that changes from frame to frame.

        The batch size B is that of the target landmarks. What was encoded from b photos is repeated when B is a
        multiple of b, in the order of ``torch.cat``: entry i is drawn from photo ``i % b``. So one photo goes with all
        frames of a clip, and b photos with two targets each, stacked.

        Args:
            encoded: from :meth:`encode`.
            source_landmark_features: from :meth:`encode_landmarks`, (b, L, H/4, W/4).
            target_landmark_features: from :meth:`encode_landmarks`, (B, L, H/4, W/4).
            grid_b: flow map B, (B, H, W, 2); not read without ``warp_b``.
            flow_a: flow map A, (B, 2, H, W), pixels; not read without ``warp_a``.
            validity_a: where flow map A is valid, (B, 1, H, W) in [0, 1]; not read without ``warp_a``.
            guide: the static drawing in the target pose, (B, output_channels, H, W) in [-1, 1]; read by a guided
                generator only.

        Returns:
            (B, output_channels, H, W) in [-1, 1]: -1 black ink, +1 white paper.

        Raises:
            ValueError: if shapes or batch sizes do not fit, or a flow map is missing.
        """
        if len(encoded) != len(self.scales):
            raise ValueError(f"encoded must hold one tensor for each scale {self.scales}, got {len(encoded)}")
        batch = len(target_landmark_features)
        size = (encoded[0].shape[-2] << self.scales[0], encoded[0].shape[-1] << self.scales[0])
        for name, features in (("source", source_landmark_features), ("target", target_landmark_features)):
            if features.shape[-2:] != (size[0] // SIZE_MULTIPLE, size[1] // SIZE_MULTIPLE):
                raise ValueError(
                    f"{name} landmarks of {tuple(features.shape[-2:])} at 1/4 size do not go with a photo of {size}"
                )
        self._check_maps(size, grid_b, flow_a, validity_a)
        grid_b, flow_a, validity_a = (
            None if values is None else fill_batch(name, values, batch)
            for name, values in (("grid_b", grid_b), ("flow_a", flow_a), ("validity_a", validity_a))
        )
        features = self.image_encoder.warp(
            [fill_batch("photo", values, batch) for values in encoded], grid_b, flow_a, validity_a
        )
        source = fill_batch("source landmarks", source_landmark_features, batch)
        if self.guide_encoder is not None:
            if guide is None:
                raise ValueError("this generator needs the guide: the static drawing in the target pose")
            check_pictures("guide", guide, cast("int", self.arguments["output_channels"]), size=size)
            guide = fill_batch("guide", guide, batch)
            features = features + self.guide_encoder(guide)
        return cast("Tensor", self.image_decoder(self.transfer(features, source, target_landmark_features), guide))

    def _check_maps(
        self, size: tuple[int, int], grid_b: Tensor | None, flow_a: Tensor | None, validity_a: Tensor | None
    ) -> None:
        if self.warp_b:
            if grid_b is None:
                raise ValueError("this generator needs grid_b (flow map B)")
            check_grid("grid_b", grid_b, size)
        if self.warp_a:
            if flow_a is None or validity_a is None:
                raise ValueError("this generator needs flow_a and validity_a (flow map A)")
            check_pictures("flow_a", flow_a, 2, size=size)
            check_pictures("validity_a", validity_a, 1, size=size)

    def forward(
        self,
        photo: Tensor,
        source_landmark_image: Tensor,
        target_landmark_image: Tensor,
        grid_b: Tensor | None = None,
        flow_a: Tensor | None = None,
        validity_a: Tensor | None = None,
        guide: Tensor | None = None,
    ) -> Tensor:
        """Draw: :meth:`encode`, :meth:`encode_landmarks` twice, :meth:`draw`; shapes and ranges are given there."""
        return self.draw(
            self.encode(photo),
            self.encode_landmarks(source_landmark_image),
            self.encode_landmarks(target_landmark_image),
            grid_b,
            flow_a,
            validity_a,
            guide,
        )


def paper_generator(output_channels: int = 1, compat: Compat = None) -> PortraitGenerator:
    """The generator of the paper: 15,925,553 parameters (15,931,827 with three output channels)."""
    return PortraitGenerator(output_channels=output_channels, compat=compat)


def lite_generator(output_channels: int = 1) -> PortraitGenerator:
    """The same parts, made to run near real time on a laptop's CPU: 405,788 parameters.

    Beyond what is encoded once per photo a 256² frame costs 1.67 GMAC, a fortieth of the paper's generator. On a CPU
    such a network is bound by memory, not by arithmetic, hence: 24 channels at full size, 6 light blocks with larger
    kernels in place of 9, and a drawing computed at half size. It runs fastest channels-last::

        generator = lite_generator().to(memory_format=torch.channels_last)
    """
    return PortraitGenerator(
        width=24,
        blocks=6,
        landmark_blocks=(0, 2, 4),
        block_type="separable",
        output_channels=output_channels,
        head="subpixel",
    )
