"""The line of closing eyes."""

from __future__ import annotations

import pytest
import torch

from datamodules.synthetic.faces import in_crop, template
from lightning_modules.drawing.closed_lids import draw_closed_lids, eye_opening, lid_line_strength
from lightning_modules.geometry.landmark_groups import LID_PAIRS

SIZE = 128
EYE = torch.tensor([[[0.0, 0.0], [3.0, -2.0], [7.0, -2.0], [10.0, 0.0], [7.0, 2.0], [3.0, 2.0]]])


def face():
    return torch.tensor(in_crop(template(), SIZE)[:, :2], dtype=torch.float32)[None]


def closed(by: float):
    """The upper lids lowered by a share of the way to the lower ones."""
    landmarks = face()
    for upper, lower in LID_PAIRS:
        landmarks[:, upper] += by * (landmarks[:, lower] - landmarks[:, upper])
    return landmarks


def test_opening_by_hand():
    assert eye_opening(EYE).item() == pytest.approx(4 / 10)


def test_strength_by_hand():
    def shut(share):
        eye = EYE.clone()
        eye[:, [1, 2], 1] += 4 * share
        return lid_line_strength(eye, EYE).item()

    assert [shut(share) for share in (0.0, 0.4, 0.5)] == [0.0, 0.0, 0.0]
    assert shut(0.65) == pytest.approx(0.5)  # half-way between 0.5 and 0.8
    assert shut(1.0) == 1.0
    asleep = EYE * torch.tensor([1.0, 0.2])  # an opening of 0.08 in the photo
    assert lid_line_strength(asleep * torch.tensor([1.0, 0.0]), asleep).item() == 0.0


def test_open_eyes_are_left_alone():
    drawing = torch.rand(1, 1, SIZE, SIZE)
    assert draw_closed_lids(drawing, face(), face()) is drawing
    assert draw_closed_lids(drawing, closed(0.3), face()) is drawing


def test_a_closed_eye_is_one_line_on_paper():
    scribble = torch.ones(1, 1, SIZE, SIZE)
    eyes = face()[0, 36:48]
    scribbled = (
        slice(int(eyes[:, 1].min()) - 1, int(eyes[:, 1].max()) + 2),
        slice(int(eyes[:, 0].min()), int(eyes[:, 0].max()) + 1),
    )
    scribble[0, 0][scribbled] = 0.4
    shown = draw_closed_lids(scribble, closed(1.0), face())[0, 0]
    for group in ((36, 41, 40, 39), (42, 47, 46, 45)):
        points = closed(1.0)[0, list(group)]
        for x, y in (0.5 * (points[1] + points[2])).round().long()[None].tolist():
            assert shown[y - 1 : y + 2, x].min() < 0.3  # the line, darker than the scribble
        assert shown[points[:, 1].min().long() + 1, points[:, 0].mean().long()] > 0.9  # the lid above it
    rows = ((shown - scribble[0, 0]).abs() > 1e-6).any(1).nonzero()
    assert rows.min() > eyes[:, 1].min() - 8
    assert rows.max() < eyes[:, 1].max() + 8


def test_more_is_taken_off_above_the_eye_than_below():
    large = 8 * SIZE
    shut, rest = ((points + 0.5) * 8 - 0.5 for points in (closed(1.0), face()))
    eye = shut[0, 36:42]
    width, middle, level = float(eye[3, 0] - eye[0, 0]), int(eye[:, 0].mean()), float(eye[5, 1])
    gray = torch.full((1, 1, large, large), 0.5)
    shown = draw_closed_lids(gray, shut, rest)[0, 0]

    def at(share: float) -> float:
        return float(shown[round(level + share * width), middle])

    # Up to 0.2 widths below the lids, and 0.12 more above them; the lids meet in a line that is bent.
    assert [at(share) for share in (-0.5, -0.36)] == pytest.approx([0.5, 0.5])
    assert [at(share) for share in (-0.28, -0.24, 0.16)] == pytest.approx([1.0, 1.0, 1.0])
    assert [at(share) for share in (0.24, 0.36)] == pytest.approx([0.5, 0.5])


def test_a_lid_in_deep_shadow_stays_black():
    half = torch.ones(1, 1, SIZE, SIZE)
    half[..., SIZE // 2 :] = 0.0  # the half with the subject's left eye
    shown = draw_closed_lids(half, closed(1.0), face())
    assert float(shown[..., SIZE // 2 + 12 :].max()) == 0.0
    lid = closed(1.0)[0, 36:42].mean(0).round().long()
    assert float(shown[0, 0, lid[1] - 3, lid[0]]) > 0.9


def test_each_frame_of_a_batch_is_drawn_for_itself():
    drawing = torch.rand(3, 1, SIZE, SIZE)
    poses = torch.cat((face(), closed(0.7), closed(1.0)))
    together = draw_closed_lids(drawing, poses, face())
    alone = torch.cat([draw_closed_lids(drawing[k : k + 1], poses[k : k + 1], face()) for k in range(3)])
    assert torch.equal(together[0], drawing[0])
    assert (together - alone).abs().max() < 1e-5


def test_lids_of_colour_drawings_have_the_colour_of_the_cheek():
    drawing = torch.ones(1, 3, SIZE, SIZE) * torch.tensor([0.8, 0.6, 0.5]).view(1, 3, 1, 1)
    lids = draw_closed_lids(drawing, closed(1.0), face())
    light = lids.amax((0, 2, 3))
    assert torch.allclose(light, torch.tensor([0.8, 0.6, 0.5]), atol=1e-5)
    assert lids.min() < 0.2
