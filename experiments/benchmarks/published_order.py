"""The published training's order of work, written anew from its description: one sample, one thing after another.

What ``training_step`` measures our step against. The losses, networks and optimiser settings are handed in or shared;
what differs is how the work is done (reference stage2 §2, §4, §6, §11.2): heat maps landmark by landmark in NumPy, flow
map B by SciPy's ``griddata`` for each target, four dense spline solves in float32, a matting network in every step, two
passes of the generator, each discriminator on each drawing by itself, lip lines drawn by OpenCV.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.benchmarks.training_setup import no_flow
from lightning_modules.batches import PortraitBatch
from lightning_modules.faces.matter import Matter
from lightning_modules.geometry.landmark_groups import LIP_SEGMENTS
from lightning_modules.geometry.sampling import flow_of, pixel_map, sample
from lightning_modules.image_pool import ImagePool
from lightning_modules.losses.adversarial import adversarial_loss
from lightning_modules.losses.objective import Objective
from lightning_modules.networks.coherence_discriminator import CoherenceDiscriminator
from lightning_modules.networks.drawing_discriminators import DrawingDiscriminators, masked_part
from lightning_modules.optimization import AdamSettings
from lightning_modules.portrait_gan_inputs import Blending, blend, painted_white

Points = npt.NDArray[np.float32]
HEAT_MAP_SIDE: Final = 224
_HEAT_RADIUS: Final = 4.0
_DISC_RADIUS: Final = 3


def heat_maps(landmarks: Points, size: int) -> npt.NDArray[np.float32]:
    """The input of flow map A's network: 68 filled discs, one pass over the whole picture for each landmark.

    Args:
        landmarks: (68, 2) pixels of a picture of ``size``.
        size: its side.

    Returns:
        (68, 224, 224), 0 or 1.
    """
    rows, columns = np.mgrid[0:HEAT_MAP_SIDE, 0:HEAT_MAP_SIDE]
    maps = []
    for x, y in landmarks * (HEAT_MAP_SIDE / size):
        maps.append(((columns - x) ** 2 + (rows - y) ** 2 <= _HEAT_RADIUS**2).astype(np.float32))
    return np.stack(maps)


def griddata_map(source: Points, target: Points, size: int) -> npt.NDArray[np.float32]:
    """Flow map B of one pair of faces, pixel by pixel over SciPy's triangles, four corners fixed.

    Args:
        source: (68, 2) pixels.
        target: (68, 2) pixels.
        size: side of the picture.

    Returns:
        (size, size, 2), normalised with ``align_corners=True``.
    """
    from scipy.interpolate import griddata

    last = size - 1
    corners = np.array([(0, 0), (0, last), (last, 0), (last, last)], np.float64)
    sites = np.concatenate([target[:, ::-1], corners])
    values = np.concatenate([source[:, ::-1], corners])
    rows, columns = np.mgrid[0:size, 0:size]
    found = griddata(sites, values, (rows, columns), method="linear")
    return np.asarray(found[..., ::-1] / (last / 2) - 1, np.float32)


def dense_spline_map(source: Tensor, target: Tensor, size: int) -> Tensor:
    """Thin-plate sampling map of one pair of faces, solved and evaluated densely in float32.

    Args:
        source: (68, 2) pixels.
        target: (68, 2) pixels.
        size: side of the picture.

    Returns:
        (1, size, size, 2) pixels.
    """

    def kernel(first: Tensor, second: Tensor) -> Tensor:
        squares = first.square().sum(1)[:, None] - 2 * first @ second.T + second.square().sum(1)[None]
        squares = squares.clamp(min=1e-10)
        bent: Tensor = squares * squares.log() / 2
        return bent

    count = len(target)
    affine = torch.cat((target, target.new_ones(count, 1)), dim=1)
    top = torch.cat((kernel(target, target), affine), dim=1)
    bottom = torch.cat((affine.T, affine.new_zeros(3, 3)), dim=1)
    wanted = torch.cat((target - source, target.new_zeros(3, 2)))
    weights = torch.linalg.solve(torch.cat((top, bottom)), wanted)
    along = torch.arange(size, dtype=target.dtype, device=target.device)
    y, x = torch.meshgrid(along, along, indexing="ij")
    pixels = torch.stack((x, y), dim=-1).reshape(-1, 2)
    flow = kernel(pixels, target) @ weights[:count]
    flow = flow + torch.cat((pixels, pixels.new_ones(len(pixels), 1)), dim=1) @ weights[count:]
    positions: Tensor = (pixels - flow).reshape(1, size, size, 2)
    return positions


def disc_image(landmarks: Points, size: int) -> Tensor:
    """The landmark image, drawn disc by disc with OpenCV: (1, 1, size, size), -1 and 1."""
    import cv2

    canvas = np.zeros((size, size), np.uint8)
    for x, y in np.rint(landmarks).astype(int).tolist():
        cv2.circle(canvas, (x, y), max(1, round(_DISC_RADIUS * size / 256)), 255, -1)
    return torch.from_numpy(canvas.astype(np.float32) / 127.5 - 1)[None, None]


def lip_lines(landmarks: Points, size: int) -> Tensor:
    """The lip lines, drawn line by line with OpenCV, two pixels thick: (1, 1, size, size), 0 and 1."""
    import cv2

    canvas = np.zeros((size, size), np.uint8)
    ends = landmarks.astype(int).tolist()
    for start, stop in LIP_SEGMENTS:
        cv2.line(canvas, ends[start], ends[stop], 255, 2)
    return torch.from_numpy(canvas.astype(np.float32) / 255)[None, None]


class PublishedOrder:
    """Training one photo at a time; see the module's docstring.

    ``host_seconds`` adds up what the parts took that run on the processor even where there is a GPU.

    Args:
        generator: G.
        drawing_discriminators: D_g, D_ln, D_le, D_ll.
        coherence_discriminator: D_coh.
        objective: weights of the terms; geometry and identity are left out.
        settings: of both Adam optimisers: G's, and the one for all discriminators.
        matter: run on every photo in every step.
        with_heat_maps: make the four sets of heat maps that flow map A asks for, and let it be no flow; without them
            flow map B takes its place.
        pool_size: entries of D_coh's image pool.
    """

    def __init__(
        self,
        generator: nn.Module,
        drawing_discriminators: DrawingDiscriminators,
        coherence_discriminator: CoherenceDiscriminator,
        objective: Objective,
        settings: AdamSettings,
        matter: Matter,
        *,
        with_heat_maps: bool = False,
        pool_size: int = 50,
    ) -> None:
        self.generator, self.judges, self.pair_judge = generator, drawing_discriminators, coherence_discriminator
        self.weights, self.matter, self.with_heat_maps = objective.weights, matter, with_heat_maps
        self.pool = ImagePool(pool_size)
        self.critics = [*self.judges.parameters(), *self.pair_judge.parameters()]
        rates: dict[str, Any] = {"lr": settings.learning_rate, "betas": (settings.beta1, settings.beta2)}
        self.generator_optimizer = torch.optim.Adam(generator.parameters(), **rates)
        self.critic_optimizer = torch.optim.Adam(self.critics, **rates)
        self.host_seconds: dict[str, float] = {}

    def step(self, host: PortraitBatch, batch: PortraitBatch) -> dict[str, Tensor]:
        """One step on one photo.

        Args:
            host: the sample in main memory.
            batch: the same on the device.

        Returns:
            Detached losses ``generator`` and ``critics``.

        Raises:
            ValueError: there is more than one photo.
        """
        if len(host) != 1:
            raise ValueError(f"the published step takes one photo, got {len(host)}")
        matte = self._matte(host).to(batch.photo.device)
        fakes, static_map, coherence_map = self._draw(host, batch, matte)
        for parameter in self.critics:
            parameter.requires_grad = False
        self.generator_optimizer.zero_grad()
        loss = self._generator_loss(host, batch, fakes, static_map, coherence_map)
        loss.backward()  # type: ignore[no-untyped-call]
        self.generator_optimizer.step()
        for parameter in self.critics:
            parameter.requires_grad = True
        self.critic_optimizer.zero_grad()
        critics = self._critics_backward(batch, [fake.detach() for fake in fakes])
        self.critic_optimizer.step()
        return {"generator": loss.detach(), "critics": critics}

    @contextmanager
    def _counted(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.host_seconds[part] = self.host_seconds.get(part, 0.0) + time.perf_counter() - start

    def _matte(self, host: PortraitBatch) -> Tensor:
        with self._counted("matting"):
            pixels = (host.photo[0].movedim(0, -1).numpy() * 127.5 + 127.5).round().clip(0, 255).astype(np.uint8)
            return (torch.from_numpy(self.matter.matte(pixels))[None, None] > 0.5).float()

    def _draw(self, host: PortraitBatch, batch: PortraitBatch, matte: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        size, device = batch.size, batch.photo.device
        source = batch.landmarks[0]
        photo = painted_white(batch.photo, matte)
        source_points = host.landmarks[0].numpy()
        source_image = disc_image(source_points, size).to(device)
        fakes = []
        for target, points in zip(batch.target_landmarks[0], host.target_landmarks[0].numpy(), strict=True):
            if self.with_heat_maps:
                with self._counted("heat_maps"):
                    joined = np.concatenate([heat_maps(source_points, size), heat_maps(points, size)])
                torch.from_numpy(joined)[None].to(device)
            with self._counted("griddata"):
                found = griddata_map(source_points, points, size)
            grid = torch.from_numpy(found)[None].to(device)
            if self.with_heat_maps:
                flow, validity = no_flow(1, size, matte)
            else:
                flow, validity = flow_of(pixel_map(grid, size)).movedim(-1, 1), torch.ones_like(matte)
            drawn = self.generator(photo, source_image, disc_image(points, size).to(device), grid, flow, validity)
            carried = sample(matte, dense_spline_map(source, target, size))
            fakes.append(blend(drawn, Blending(carried, batch.static_drawing)))
        first, second = batch.target_landmarks[0]
        return fakes, dense_spline_map(source, first, size), dense_spline_map(first, second, size)

    def _generator_loss(
        self,
        host: PortraitBatch,
        batch: PortraitBatch,
        fakes: list[Tensor],
        static_map: Tensor,
        coherence_map: Tensor,
    ) -> Tensor:
        weights, total = self.weights, torch.zeros((), device=batch.photo.device)
        for fake, points in zip(fakes, host.target_landmarks[0].numpy(), strict=True):
            total = total + weights["adversarial"] * adversarial_loss(self.judges.d_g(fake), real=True)
            for judge, mask in self._local(batch.target_masks):
                total = total + weights["local"] * adversarial_loss(judge(masked_part(fake, mask)), real=True)
            with self._counted("lip_lines"):
                lines = lip_lines(points, batch.size)
            total = total + weights["lip_line"] * ((fake + 1) * lines.to(fake.device)).mean()
        first, second = fakes
        total = total + weights["coherence"] * adversarial_loss(self.pair_judge(first, second), real=True)
        total = total + weights["content"] * functional.l1_loss(first, sample(batch.static_drawing, static_map))
        moved = sample(first.detach(), coherence_map)
        return total + weights["coherence_warp"] * functional.l1_loss(second, moved)

    def _local(self, masks: Tensor) -> list[tuple[nn.Module, Tensor]]:
        return list(zip((self.judges.d_ln, self.judges.d_le, self.judges.d_ll), masks.chunk(3, dim=1), strict=True))

    def _critics_backward(self, batch: PortraitBatch, fakes: list[Tensor]) -> Tensor:
        total = torch.zeros((), device=batch.photo.device)
        own, made = self._local(batch.drawing_masks), self._local(batch.target_masks)
        rows: list[tuple[nn.Module, Tensor | None, Tensor | None]] = [
            (self.judges.d_g, None, None),
            *((judge, mask, other) for (judge, mask), (_, other) in zip(own, made, strict=True)),
        ]
        for judge, real_mask, made_mask in rows:
            real = judge(batch.drawing if real_mask is None else masked_part(batch.drawing, real_mask))
            losses = [
                adversarial_loss(judge(fake if made_mask is None else masked_part(fake, made_mask)), real=False)
                for fake in fakes
            ]
            loss = (adversarial_loss(real, real=True) + (losses[0] + losses[1]) / 2) / 2
            loss.backward()  # type: ignore[no-untyped-call]
            total = total + loss.detach()
        shown = self.pool.query(torch.stack(fakes, dim=1))
        loss = (
            adversarial_loss(self.pair_judge(*batch.adjacent.unbind(1)), real=True)
            + adversarial_loss(self.pair_judge(*shown.unbind(1)), real=False)
            + adversarial_loss(self.pair_judge(*batch.non_adjacent.unbind(1)), real=False)
        ) / 3
        loss.backward()  # type: ignore[no-untyped-call]
        return total + loss.detach()
