from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.geometry.alignment import portrait_frame
from lightning_modules.geometry.landmark_groups import mirror_landmarks
from lightning_modules.losses.face_window import chosen_window, crop_square, face_square, landmark_window

BOTH = pytest.mark.parametrize(("kernel", "corners"), [("bicubic", False), ("bilinear", True)])


def published_crop(image, left, top, side, size, kernel, *, corners):
    """Cut a whole-pixel square out of a white surround and resize it, as the published code does."""
    margin = 400
    surround = functional.pad(image, [margin] * 4, value=1.0)
    square = surround[..., margin + top : margin + top + side, margin + left : margin + left + side]
    return functional.interpolate(square, size=size, mode=kernel, align_corners=corners)


@BOTH
@pytest.mark.parametrize(
    "window", [(38, 51, 179), (43, 57, 200), (0, 0, 256), (-30, 100, 180), (200, -20, 90), (10, 20, 40), (-99, 0, 60)]
)
def test_whole_windows_are_cut_and_resized_as_published(drawings, kernel, corners, window):
    image = drawings(256, 1, 3)
    crop = crop_square(image, torch.tensor([window]), (112, 96), kernel, align_corners=corners)
    expected = published_crop(image, *window, (112, 96), kernel, corners=corners)
    assert crop.shape == (1, 3, 112, 96)
    assert (crop - expected).abs().max() < 1e-9


@BOTH
def test_every_sample_has_its_own_window(drawings, kernel, corners):
    image = drawings(64, 3)
    windows = torch.tensor([[3, 5, 40], [-8, 2, 50], [30, 40, 30]])
    crops = crop_square(image, windows, (28, 24), kernel, align_corners=corners)
    for k, window in enumerate(windows.tolist()):
        expected = published_crop(image[k : k + 1], *window, (28, 24), kernel, corners=corners)
        assert (crops[k : k + 1] - expected).abs().max() < 1e-9
    shared = crop_square(image, windows[:1], (28, 24), kernel, align_corners=corners)
    assert (shared[0] - crops[0]).abs().max() == 0


@BOTH
def test_a_fractional_window_reads_at_the_right_places(drawings, kernel, corners):
    image = drawings(64, 1)
    left, top, side, count = 10.3, 12.9, 30.4, 20
    window = torch.tensor([[left, top, side]], dtype=torch.float64)
    crop = crop_square(image, window, (count, count), kernel, align_corners=corners)
    steps = torch.arange(count, dtype=torch.float64)
    local = steps * (side - 1) / (count - 1) if corners else (steps + 0.5) * side / count - 0.5
    rows, columns = torch.meshgrid(2 * (top + local) / 63 - 1, 2 * (left + local) / 63 - 1, indexing="ij")
    grid = torch.stack((columns, rows), dim=-1)[None]
    read = functional.grid_sample(image, grid, mode=kernel, padding_mode="border", align_corners=True)
    inner = slice(2, -2)  # beyond, bicubic taps are held at the window's edge
    assert (crop - read)[..., inner, inner].abs().max() < 1e-9


@BOTH
def test_a_mirrored_picture_has_a_mirrored_crop(drawings, kernel, corners):
    for size in (64, 100, 256):
        picture = drawings(size, 1)
        window = face_square(size, picture)
        crop = crop_square(picture, window, (20, 16), kernel, align_corners=corners)
        mirrored = crop_square(picture.flip(-1), window, (20, 16), kernel, align_corners=corners)
        assert (mirrored - crop.flip(-1)).abs().max() < 1e-9


@BOTH
def test_gradient_of_the_crop(drawings, kernel, corners):
    image = drawings(10, 2).requires_grad_()
    windows = torch.tensor([[1.5, 2.0, 6.0], [-2.0, 4.2, 8.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: crop_square(x, windows, (5, 4), kernel, align_corners=corners, outside=0.3), image
    )


def test_white_stays_white():
    white = torch.ones(1, 1, 50, 50)
    crop = crop_square(white, torch.tensor([[-20.7, 13.1, 61.3]]), (30, 30))
    assert (crop - 1).abs().max() < 1e-6


def test_the_face_square_is_the_papers(face_at):
    window = face_square(256, torch.zeros(1))
    assert torch.allclose(window, torch.tensor([[38.4, 51.2, 179.2]]))
    left, top, side = window[0]
    points = face_at(256)[0]
    assert points[:, 0].min() > left
    assert points[:, 0].max() < left + side
    assert points[:, 1].max() < top + side


def test_landmarks_ask_for_the_square_of_their_own_portrait_crop(face_at, moved_faces):
    for face in (face_at(256)[0], *moved_faces(256, 3)[0], face_at(256)[0] * 1.7 - 40):
        frame = portrait_frame(face.numpy())
        left, top, side = landmark_window(face[None])[0].tolist()
        assert side == pytest.approx(0.7 * frame.side, abs=0.4)
        assert left == pytest.approx(frame.left + 0.15 * frame.side, abs=0.7)  # the frame is in whole pixels
        assert top == pytest.approx(frame.top + 0.20 * frame.side, abs=0.9)


def test_the_landmark_square_moves_grows_and_turns_over_with_the_face(moved_faces):
    faces, _ = moved_faces(128)
    window = landmark_window(faces)
    assert torch.allclose(landmark_window(faces + 7), window + torch.tensor((7.0, 7.0, 0.0)))
    scaled = landmark_window(2 * (faces + 0.5) - 0.5)  # a frame twice as large
    assert torch.allclose(scaled[:, 2], 2 * window[:, 2])
    assert torch.allclose(scaled[:, :2] + 0.5, 2 * (window[:, :2] + 0.5), atol=0.02 * 128)
    mirrored = landmark_window(mirror_landmarks(faces, 128))
    assert torch.allclose(mirrored[:, 0], 128 - (window[:, 0] + window[:, 2]))


def test_the_choice(face_at, drawings):
    face, picture = face_at(64) + 5, drawings(64, 1)
    assert torch.equal(chosen_window(picture, face, "frame"), face_square(64, picture))
    assert torch.equal(chosen_window(picture, face, "landmarks"), landmark_window(face))
    with pytest.raises(ValueError, match="square"):
        chosen_window(picture[:, :, 5:], face, "frame")


@pytest.mark.parametrize("window", [torch.zeros(3), torch.zeros(3, 3), torch.zeros(1, 4)])
def test_windows_of_another_shape_are_refused(drawings, window):
    with pytest.raises(ValueError, match="window"):
        crop_square(drawings(16, 2), window, (8, 8))
