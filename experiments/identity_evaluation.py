"""Whether the identity features know a face again in another drawing: measured on people that were held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from datamodules.datasets.decoded import DecodedSet
from datamodules.datasets.face_looks import DEFAULT_SIZE, drawers, face_planes
from datamodules.datasets.face_samples import MeasuredFaces, Person, Photo
from datamodules.face_warp import WarpSettings
from datamodules.identity_faces import FaceFolder, held_out
from datamodules.prepare.manifest import RECORDS_NAME, read_manifest
from datamodules.prepare.prepared_set import read_set
from datamodules.prepare.record import read_record
from datamodules.samplers import SampleAddress
from lightning_modules.errors import ConfigError, PreparedSetError
from lightning_modules.identity_features import PAIRS, VIEWS
from lightning_modules.metrics.same_person_ranking import SamePersonRanking, rank_share
from lightning_modules.networks.frozen.sphereface import SphereFace
from lightning_modules.pipeline.presentation import captioned, grid

LOSS_PAIRS: Final = (("ink", "ink_moved"), ("ink", "pencil_moved"))
"""Views that are also ranked by the identity loss itself, all stages, as training would see it."""


class Measured(NamedTuple):
    """What the network says of N photos in V views."""

    views: Tensor
    """(N, V, 3, 112, 96) in [-1, 1]."""
    embedding: Tensor
    """(N, V, D), of length 1."""
    features: list[Tensor]
    """The five features of all views, (N, V, ...)."""
    person: Tensor
    """(N,)."""
    source: Tensor
    """(N,) which set."""


def held_out_people(
    sets: Sequence[FaceFolder], most: int | None = None, advance: Callable[[], None] | None = None
) -> list[tuple[int, Person]]:
    """Draw the photos of the people that are held out.

    Args:
        sets: prepared photos.
        most: people of each set at most, evenly from all in the order of their names; None for all.
        advance: called after each photo.

    Returns:
        Number of the set and person, in the order of sets and names.

    Raises:
        PreparedSetError: a folder holds no prepared photos, or none with drawings.
        ConfigError: nobody is held out.
    """
    hands, found = drawers(), []
    for number, source in enumerate(sets):
        folder = Path(source.folder).expanduser()
        if read_set(folder).get("kind") != "photos":
            raise PreparedSetError("holds no prepared photos", "give a folder of inkspeak prepare photos", folder)
        photos: dict[str, list[str]] = {}
        for row in read_manifest(folder):
            who = source.who(row["source"]["name"])
            if held_out(who, source.hold_out):
                photos.setdefault(who, []).append(row["id"])
        names = sorted(photos)
        if most is not None and most < len(names):
            names = [names[place * len(names) // most] for place in range(most)]
        for who in names:
            parts = []
            for name in photos[who]:
                place = folder / RECORDS_NAME / name
                parts.append(face_planes(read_record(place), DEFAULT_SIZE, hands, place))
                if advance is not None:
                    advance()
            faces = DecodedSet.of_records(parts, photos[who])
            found.append((number, Person(who, tuple(Photo(faces, place) for place in range(len(faces))))))
    if not found:
        raise ConfigError("nobody is held out", "give a larger share, or other sets")
    return found


@torch.inference_mode()
def measured(network: SphereFace, people: Sequence[tuple[int, Person]], warp: WarpSettings) -> Measured:
    """Show the network every photo in the measured views."""
    numbers = range(len(people))
    samples = MeasuredFaces([person for _, person in people], numbers, warp=warp)
    views, embedding, features, person = [], [], [], []
    for index in range(len(samples)):
        sample = samples[SampleAddress(0, index)]
        answer = network(sample.views)
        views.append(sample.views)
        features.append(answer)
        embedding.append(functional.normalize(answer.embedding, dim=-1))
        person.append(int(sample.person))
    source = [people[number][0] for number in person]
    stages = [torch.stack(stage) for stage in zip(*features, strict=True)]
    numbers_of = torch.tensor(person), torch.tensor(source)
    return Measured(torch.stack(views), torch.stack(embedding), stages, *numbers_of)


def figures(found: Measured, sets: Sequence[str]) -> dict[str, Any]:
    """AUC of all sets together and of each, by pairs of views; and by the identity loss.

    Args:
        found: of :func:`measured`.
        sets: their names.
    """
    told: dict[str, Any] = {"all sets": _ranked(found, torch.ones_like(found.source, dtype=torch.bool))}
    for number, name in enumerate(sets):
        chosen = found.source == number
        if len(sets) > 1 and chosen.any():
            told[name] = _ranked(found, chosen)
    told["all sets"]["by the loss"] = {f"{a}-{b}": by_the_loss(found, a, b) for a, b in LOSS_PAIRS}
    return told


def _ranked(found: Measured, chosen: Tensor) -> dict[str, Any]:
    ranking = SamePersonRanking(VIEWS, PAIRS, ("photo", "ink"))
    person = found.person[chosen]
    ranking.update(found.embedding[chosen], person, torch.arange(len(person)))
    auc = {name: float(value) for name, value in ranking.compute().items()}
    return {"photos": len(person), "people": len(torch.unique(person)), "auc": auc}


def by_the_loss(found: Measured, first: str, second: str) -> float:
    """AUC where a pair ranks by the identity loss between its views instead of the cosine; lower is likelier.

    The loss of all pairs at once: mean absolute difference of each stage, added up.
    """
    a, b = VIEWS.index(first), VIEWS.index(second)
    stages = [stage.flatten(2) for stage in found.features]
    loss = torch.stack([torch.cdist(stage[:, a], stage[:, b], p=1) / stage.shape[-1] for stage in stages]).sum(0)
    return float(rank_share(-loss.diagonal(), -loss[found.person[:, None] != found.person]))


def hardest(found: Measured, rows: int = 10) -> npt.NDArray[np.uint8]:
    """Draw a sheet: the ink drawings whose own photo ranks worst, beside it and the strangers that rank above it."""
    photo, ink = VIEWS.index("photo"), VIEWS.index("ink_moved")
    cosine = found.embedding[:, ink] @ found.embedding[:, photo].T
    stranger = found.person[:, None] != found.person
    own = cosine.diagonal()
    margin = own - cosine.masked_fill(~stranger, -1).amax(1)
    cells = []
    for row in margin.argsort()[:rows].tolist():
        likest = cosine[row].masked_fill(~stranger[row], -1).topk(min(3, int(stranger[row].sum()))).indices.tolist()
        cells.append(captioned(_pixels(found.views[row, ink]), "drawing"))
        cells.append(captioned(_pixels(found.views[row, photo]), f"own {own[row]:.2f}"))
        cells += [captioned(_pixels(found.views[one, photo]), f"{cosine[row, one]:.2f}") for one in likest]
    return grid(cells, len(cells) // min(rows, len(margin)))


def _pixels(view: Tensor) -> npt.NDArray[np.uint8]:
    doubled = functional.interpolate(view[None], scale_factor=2, mode="bilinear")[0]
    pixels: npt.NDArray[np.uint8] = ((doubled + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return pixels


def table(told: Mapping[str, Any]) -> str:
    """The figures as Markdown: a row for each kind of pairs, a column for each set."""
    columns = list(told)
    kinds = list(dict.fromkeys(kind for one in told.values() for kind in one["auc"]))
    lines = [f"| AUC | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    counts = [f"{told[name]['people']} people, {told[name]['photos']} photos" for name in columns]
    lines.append(f"| held out | {' | '.join(counts)} |")
    for kind in kinds:
        cells = [f"{told[name]['auc'][kind]:.4f}" if kind in told[name]["auc"] else "" for name in columns]
        lines.append(f"| {kind.replace('_', ' ')} | {' | '.join(cells)} |")
    for kind, value in told[columns[0]].get("by the loss", {}).items():
        lines.append(f"| {kind.replace('_', ' ')}, by the loss | {value:.4f} |{' |' * (len(columns) - 1)}")
    return "\n".join(lines)
