from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from lightning_modules.geometry.landmark_groups import (
    INNER_LIP,
    LEFT_EYE,
    LIP_SEGMENTS,
    NOSE,
    OUTER_LIP,
    RIGHT_EYE,
    mirror_landmarks,
)
from lightning_modules.geometry.lines import thick_lines
from lightning_modules.geometry.part_masks import (
    eye_mask,
    face_extents,
    face_mask,
    inner_mouth_mask,
    lip_line_mask,
    part_masks,
)


def every_mask(points):
    return [*part_masks(points), face_mask(points), eye_mask(points), inner_mouth_mask(points), lip_line_mask(points)]


def lines_of_opencv(points, size, thickness):
    image = np.zeros((size, size), np.uint8)
    whole = np.rint(points).astype(int).tolist()
    for a, b in LIP_SEGMENTS:
        cv2.line(image, whole[a], whole[b], 255, thickness)
    return (image > 0).astype(np.float32)


@pytest.mark.parametrize(("size", "thickness"), [(256, 2), (512, 4)])
def test_lip_lines_equal_opencv(talking, size, thickness):
    points = talking * size / 256
    masks = lip_line_mask(points, size, thickness)
    assert masks.shape == (4, 1, size, size)
    for mask, landmarks in zip(masks, points, strict=True):
        expected = lines_of_opencv(landmarks.numpy(), size, thickness)
        assert expected.sum() > 300
        assert np.array_equal(mask[0].numpy(), expected)


@pytest.mark.parametrize("thickness", [2, 3, 4, 7])
def test_any_thick_line_equals_opencv(thickness):
    generator = np.random.default_rng(thickness)
    starts, ends = generator.integers(8, 40, (2, 200, 1, 2))
    starts[:20, 0, 0], ends[20:40, 0, 1], ends[40:50] = ends[:20, 0, 0], starts[20:40, 0, 1], starts[40:50]
    masks = thick_lines(torch.from_numpy(starts).double(), torch.from_numpy(ends).double(), 48, thickness)
    for mask, start, end in zip(masks[:, 0].numpy(), starts[:, 0].tolist(), ends[:, 0].tolist(), strict=True):
        expected = np.zeros((48, 48), np.uint8)
        cv2.line(expected, start, end, 1, thickness)
        assert np.array_equal(mask, expected)


def test_level_line_is_three_rows_and_one_pixel_longer():
    line = thick_lines(torch.tensor([[[10.0, 20.0]]]), torch.tensor([[[15.0, 20.0]]]), 32)[0, 0]
    assert line[19:22, 10:16].all()
    assert line[20, 9] == line[20, 16] == 1
    assert line.sum() == 3 * 6 + 2


def test_part_masks_hold_their_points_and_leave_the_others_out(talking):
    masks = part_masks(talking)
    for mask, inside, outside in (
        (masks.nose, NOSE, [*RIGHT_EYE, *LEFT_EYE, *OUTER_LIP]),
        (masks.eyes, [*RIGHT_EYE, *LEFT_EYE], [*range(17, 27), 30, *range(31, 36)]),
        (masks.lips, [*OUTER_LIP, *INNER_LIP], [*NOSE, 8]),
    ):
        assert mask.shape == (4, 1, 256, 256)
        assert mask.min() == 0
        assert mask.max() == 1
        x, y = talking.round().long().unbind(-1)
        value = mask[torch.arange(4)[:, None], 0, y, x]
        assert (value[:, list(inside)] == 1).all()
        assert (value[:, list(outside)] == 0).all()


def test_growth_is_the_stated_share_of_the_face(face):
    extent = float(face_extents(face))
    assert extent == pytest.approx(256 * 0.55, rel=0.02)
    lips = part_masks(face).lips[0, 0]
    lowest = float(face[0, 57, 1]) + 0.06 * extent
    column = lips[:, round(float(face[0, 57, 0]))]
    assert float(column.nonzero().max()) == pytest.approx(lowest, abs=1.0)


def test_inner_mouth_is_the_area_between_the_lips(face):
    ring = face[0, list(INNER_LIP)]
    ahead = ring.roll(-1, 0)
    area = float((ring[:, 0] * ahead[:, 1] - ring[:, 1] * ahead[:, 0]).sum() / 2)
    assert area > 50
    assert float(inner_mouth_mask(face).sum()) == pytest.approx(area, abs=0.05)


def test_crossed_lips_and_lids_leave_no_opening(face):
    crossed = face.clone()
    crossed[:, [61, 62, 63, 65, 66, 67], 1] = face[:, [67, 66, 65, 63, 62, 61], 1]
    crossed[:, [60, 64], 1] = face[:, [61, 67, 63, 65], 1].mean()
    assert inner_mouth_mask(crossed).sum() < 0.05 * inner_mouth_mask(face).sum()
    winking = face.clone()
    winking[:, [37, 38, 41, 40]] = face[:, [36, 39, 36, 39]]
    assert eye_mask(winking).sum() == pytest.approx(float(eye_mask(face).sum()) / 2, rel=0.1)


def test_batch_is_a_stack_of_singles(talking):
    for together, singles in zip(
        every_mask(talking), zip(*(every_mask(one[None]) for one in talking), strict=True), strict=True
    ):
        assert torch.equal(together, torch.cat(singles))


def test_translation_by_whole_pixels(face):
    for mask, moved in zip(every_mask(face), every_mask(face + torch.tensor([7.0, -5.0])), strict=True):
        assert mask.sum() > 50
        assert torch.allclose(moved[..., :-5, 7:], mask[..., 5:, :-7], atol=1e-6)


def test_mirror(face):
    # OpenCV's lines are not mirror images of each other: the crisp mask is left out
    mirrored = every_mask(mirror_landmarks(face, 256))
    for mask, other in list(zip(every_mask(face), mirrored, strict=True))[:-1]:
        assert torch.allclose(mask.flip(-1), other, atol=1e-5)
        assert not torch.allclose(mask, other, atol=0.2)


def test_faces_partly_or_wholly_outside_the_frame(face):
    for shift in (-120.0, 140.0, 4000.0):
        inside = every_mask(face + shift)
        assert all(torch.isfinite(mask).all() for mask in inside)
        if shift == 4000.0:
            assert all(mask.sum() == 0 for mask in inside)
        else:
            assert inside[3].sum() > 0


def test_wrong_input_is_refused(face):
    with pytest.raises(ValueError, match="68"):
        part_masks(face[:, :20])
    with pytest.raises(ValueError, match="finite"):
        part_masks(face * float("nan"))
    with pytest.raises(ValueError, match="thickness"):
        lip_line_mask(face, thickness=1)
