from __future__ import annotations

import dataclasses

import pytest
import torch
from lightning.fabric.utilities.apply_func import move_data_to_device
from tiny_gan import make_sample
from torch.utils.data import DataLoader

from datamodules.samplers import SampleAddress
from lightning_modules.batches import TENSOR_FIELDS, PortraitBatch, PortraitSample, stack_samples
from lightning_modules.geometry.flow_map import triangulated_targets
from lightning_modules.portrait_gan_inputs import InputRecipe, PortraitInputs

SHAPES = {
    "photo": (3, 8, 8),
    "static_drawing": (1, 8, 8),
    "matte": (1, 8, 8),
    "landmarks": (68, 2),
    "target_landmarks": (2, 68, 2),
    "target_masks": (3, 8, 8),
    "drawing": (1, 8, 8),
    "drawing_masks": (3, 8, 8),
    "adjacent": (2, 1, 8, 8),
    "non_adjacent": (2, 1, 8, 8),
}


def sample(value: float, key: str = "") -> PortraitSample:
    return PortraitSample(**{name: torch.full(shape, value) for name, shape in SHAPES.items()}, key=key)


def test_the_fields_of_sample_and_batch_are_the_documented_ones():
    assert set(TENSOR_FIELDS) == set(SHAPES)


def test_stacking_keeps_order_shapes_and_keys():
    batch = stack_samples([sample(0.0, "a"), sample(1.0, "b"), sample(2.0, "c")])
    assert len(batch) == 3
    assert batch.size == 8
    assert batch.keys() == ("a", "b", "c")
    for name, shape in SHAPES.items():
        assert getattr(batch, name).shape == (3, *shape)
        assert getattr(batch, name)[2].unique().item() == 2.0


def test_a_loader_collates_and_lightning_moves_it():
    loader = DataLoader([sample(float(index)) for index in range(4)], batch_size=2, collate_fn=stack_samples)
    batches = [move_data_to_device(batch, torch.device("cpu")) for batch in loader]
    assert [type(batch) for batch in batches] == [PortraitBatch, PortraitBatch]
    assert batches[1].landmarks[:, 0, 0].tolist() == [2.0, 3.0]
    meta = move_data_to_device(batches[0], torch.device("meta"))
    assert {getattr(meta, name).device.type for name in TENSOR_FIELDS} == {"meta"}


def test_micro_batches_are_consecutive_views():
    batch = stack_samples([sample(float(index), str(index)) for index in range(4)])
    first, second = batch.split(2)
    assert (first.keys(), second.keys()) == (("0", "1"), ("2", "3"))
    assert second.photo.data_ptr() == batch.photo[2:].data_ptr()
    assert [len(part) for part in batch.split(3)] == [1, 1, 2]
    assert [part.keys() for part in batch.split(9)] == [("0",), ("1",), ("2",), ("3",)]


def test_samples_that_do_not_fit_are_refused():
    small = SHAPES | {"photo": (3, 4, 4)}
    other = PortraitSample(**{name: torch.zeros(shape) for name, shape in small.items()})
    with pytest.raises(ValueError, match="photo has"):
        stack_samples([sample(0.0), other])
    with pytest.raises(ValueError, match="at least one"):
        stack_samples([])


def test_triangles_stay_with_their_landmarks():
    batch = stack_samples([make_sample(0, SampleAddress(0, index)) for index in range(3)])
    for anchors in ("frame", "official"):
        flat = batch.target_landmarks.flatten(0, 1)
        expected = triangulated_targets(flat, batch.size, anchors=anchors)
        assert torch.equal(batch.triangles(anchors).flatten(0, 1), expected)
        assert torch.equal(batch.split(2)[1].triangles(anchors), batch.triangles(anchors)[1:])
        assert batch.to("meta").triangles(anchors).shape == batch.triangles(anchors).shape
    other = dataclasses.replace(batch, target_landmarks=batch.target_landmarks.flip(0))
    assert other.triangles("frame") is None
    assert other.to("cpu").split(2)[0].triangles("frame") is None


def test_derived_inputs_are_the_same_with_and_without_triangles():
    batch = stack_samples([make_sample(0, SampleAddress(0, index)) for index in range(2)])
    bare = dataclasses.replace(batch, target_triangles=None)
    for recipe in (InputRecipe(), InputRecipe.official()):
        made, expected = (PortraitInputs(recipe).derive(given) for given in (batch, bare))
        for found, wanted in zip(
            [*made.inputs.arguments, *made.warps], [*expected.inputs.arguments, *expected.warps], strict=True
        ):
            assert torch.equal(found, wanted)


def test_landmarks_that_are_not_finite_are_refused_by_name():
    bad = sample(0.0, "cycle 1 index 7")
    bad.target_landmarks[1, 5, 0] = torch.nan
    with pytest.raises(ValueError, match="target_landmarks of the sample 'cycle 1 index 7' hold values"):
        stack_samples([sample(0.0), bad])
