from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from lightning_modules.drawing.drawer import DEFAULT_LOOK, CoherentLineDrawer, StaticDrawer, make_drawer
from lightning_modules.errors import ConfigError

LOOKS = ("ink", "pencil")


def stroke_of(row):
    """Amount of ink and its centre in a row of a drawing."""
    ink = 1 - row
    return float(ink.sum()), float((ink * torch.arange(len(row))).sum() / ink.sum())


def draw(look, case, board=256):
    return make_drawer(look, board=board).draw(case.photo, landmarks=case.landmarks, matte=case.matte)


def test_drawer_keeps_its_promises():
    drawer = make_drawer()
    assert isinstance(drawer, StaticDrawer)
    assert drawer.name == DEFAULT_LOOK == "ink"
    assert drawer.channels == 1
    settings = CoherentLineDrawer("pencil", line_weight=2, board=300).settings()
    assert settings["look"] == "pencil"
    assert settings["line_weight"] == 2.0
    assert settings["board"] == 300
    assert all(isinstance(value, (str, int, float)) for value in settings.values())
    options = {k: v for k, v in settings.items() if k not in ("method", "edition", "look")}
    assert make_drawer("pencil", **options).settings() == settings


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_constant_picture_is_blank_paper(look, level):
    photo = torch.full((1, 3, 96, 130), level)
    assert bool((make_drawer(look, board=192).draw(photo) == 1.0).all())


def test_faint_noise_is_blank_paper():
    photo = (0.5 + 3 / 255 * torch.randn(1, 3, 256, 256)).clamp(0, 1)
    for look in LOOKS:
        assert make_drawer(look).draw(photo).mean() > 0.9999


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("side", [256, 512, 1024])
def test_a_dark_line_becomes_a_stroke_exactly_on_it(look, side):
    unit = side / 512
    middle = side / 2 - 0.5
    columns = torch.arange(side, dtype=torch.float32)
    line = ((4 * unit) / 2 - (columns - middle).abs() + 0.5).clamp(0, 1)
    photo = (0.9 - 0.6 * line).expand(1, 3, side, side).contiguous()
    width, centre = stroke_of(make_drawer(look, mass_tone=0).draw(photo)[0, 0, side // 2])
    assert centre == pytest.approx(middle, abs=0.02 * unit)
    assert 1.6 * unit < width < 3.0 * unit


@pytest.mark.parametrize("side", [256, 512])
def test_an_edge_becomes_one_stroke_on_its_dark_side(side):
    unit = side / 512
    photo = torch.full((1, 3, side, side), 0.8)
    photo[..., : side // 2] = 0.3
    photo[..., : side // 20] = 0.0  # something darker, as in any photo
    row = make_drawer("ink", mass_tone=0).draw(photo)[0, 0, side // 2, side // 4 :]
    width, centre = stroke_of(row)
    from_edge = (centre + side // 4 - (side / 2 - 0.5)) / unit
    assert -4.0 < from_edge < -1.0
    assert 2.0 < width / unit < 4.2
    assert int((row < 0.99).sum()) <= width + 3


def test_line_weight_scales_the_stroke():
    photo = torch.full((1, 1, 256, 256), 0.9)
    photo[..., 126:130] = 0.2
    widths = [
        stroke_of(make_drawer("ink", mass_tone=0, line_weight=w).draw(photo)[0, 0, 128])[0] for w in (0.5, 1.0, 2.0)
    ]
    assert 1.5 < widths[1] / widths[0] < 2.2
    assert 1.2 < widths[2] / widths[1] < 2.2


def test_line_length_drops_short_strokes():
    photo = torch.full((1, 1, 256, 256), 0.9)
    photo[..., 20:236, 60:63] = 0.3
    photo[..., 124:134, 200:203] = 0.3
    patient = make_drawer("ink", mass_tone=0, line_length=60.0).draw(photo)
    curious = make_drawer("ink", mass_tone=0, line_length=2.0).draw(photo)
    assert patient[..., 100:156, 190:213].mean() > 0.999
    assert curious[..., 100:156, 190:213].mean() < 0.99
    assert patient[0, 0, 128, 55:68].min() < 0.3


def test_detail_finds_fainter_lines():
    photo = torch.full((1, 1, 256, 256), 0.9)
    photo[..., 100:102] = 0.82
    photo[..., 10:14] = 0.1
    right = [float((1 - make_drawer("ink", detail=d).draw(photo)[..., 60:]).sum()) for d in (0.5, 4.0)]
    assert right[0] == 0.0
    assert right[1] > 100


@pytest.mark.parametrize("look", LOOKS)
def test_portrait_bounds_and_determinism(look, portrait):
    first, second = draw(look, portrait), draw(look, portrait)
    assert torch.equal(first, second)
    assert first.shape == (1, 1, 256, 256)
    assert first.dtype == torch.float32
    assert first.min() >= 0
    assert first.max() == 1.0
    ink = float(1 - first.mean())
    low, high = {"ink": (0.10, 0.30), "pencil": (0.02, 0.10)}[look]
    assert low < ink < high
    assert float((first > 0.99).float().mean()) > 0.65


def test_ink_is_black_or_white(portrait):
    drawing = draw("ink", portrait)
    assert float(((drawing > 0.05) & (drawing < 0.95)).float().mean()) < 0.13


def test_eyes_brows_and_mouth_are_drawn_and_the_cheek_is_clean(portrait):
    for look in LOOKS:
        drawing = draw(look, portrait, board=384)[0, 0]
        for part in (range(36, 42), range(42, 48), range(17, 22), range(22, 27), range(48, 60)):
            points = portrait.landmarks[0, list(part)]
            left, top = (points.amin(0) - 10).int().tolist()
            right, bottom = (points.amax(0) + 10).int().tolist()
            assert drawing[top:bottom, left:right].min() < 0.15
        assert drawing[108:134, 68:98].min() > 0.9
        assert drawing[44:56, 80:150].min() > 0.9


@pytest.mark.parametrize("look", LOOKS)
def test_batch_is_a_stack_of_singles(look, portrait):
    photos = torch.cat((portrait.photo, portrait.photo.flip(-1), portrait.photo**0.5))
    points, mattes = portrait.landmarks.expand(3, 68, 2), portrait.matte.expand(3, 1, 256, 256)
    drawer = make_drawer(look, board=256)
    together = drawer.draw(photos, landmarks=points, matte=mattes)
    singles = [drawer.draw(photos[i : i + 1], landmarks=points[i : i + 1], matte=mattes[i : i + 1]) for i in range(3)]
    assert torch.equal(together, torch.cat(singles))
    assert not torch.equal(together[0], together[2])
    assert drawer.draw(photos[:0]).shape == (0, 1, 256, 256)


@pytest.mark.parametrize("look", LOOKS)
def test_mirror(look, portrait):
    drawing = draw(look, portrait)
    points = portrait.landmarks.clone()
    points[..., 0] = 255 - points[..., 0]
    # The parts are a set of line segments; the order of the points within them does not matter to the maps.
    mirrored = make_drawer(look, board=256).draw(
        portrait.photo.flip(-1), landmarks=points, matte=portrait.matte.flip(-1)
    )
    assert (mirrored.flip(-1) - drawing).abs().mean() < 1e-4


@pytest.mark.parametrize("look", LOOKS)
def test_quarter_turn(look, portrait):
    drawing = draw(look, portrait)
    points = torch.stack((portrait.landmarks[..., 1], 255 - portrait.landmarks[..., 0]), dim=-1)
    turned = make_drawer(look, board=256).draw(
        torch.rot90(portrait.photo, 1, (2, 3)), landmarks=points, matte=torch.rot90(portrait.matte, 1, (2, 3))
    )
    assert (torch.rot90(turned, -1, (2, 3)) - drawing).abs().mean() < 1e-4


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0.0), (0.5, 0.5), (0.25, 0.3)])
def test_gain_and_offset_do_not_matter(look, gain, offset, portrait):
    drawing = draw(look, portrait)
    other = draw(look, portrait._replace(photo=gain * portrait.photo + offset))
    assert (other - drawing).abs().mean() < 1e-4


@pytest.mark.parametrize("look", LOOKS)
def test_sensor_noise_moves_little(look, portrait):
    drawing = draw(look, portrait, board=384)
    noisy = (portrait.photo + 3 / 255 * torch.randn(portrait.photo.shape)).clamp(0, 1)
    change = float((draw(look, portrait._replace(photo=noisy), board=384) - drawing).abs().mean())
    assert 0 < change < 0.015


@pytest.mark.parametrize("look", LOOKS)
def test_a_shifted_photo_gives_the_shifted_drawing(look, portrait):
    drawing = draw(look, portrait, board=384)
    shifted = portrait._replace(
        photo=torch.cat((portrait.photo[..., 1:], portrait.photo[..., -1:]), -1),
        landmarks=portrait.landmarks - torch.tensor([1.0, 0.0]),
        matte=torch.cat((portrait.matte[..., 1:], portrait.matte[..., -1:]), -1),
    )
    moved = draw(look, shifted, board=384)[..., 8:-8, 8:-9]
    followed = (moved - drawing[..., 8:-8, 9:-8]).abs().mean()
    stayed = (moved - drawing[..., 8:-8, 8:-9]).abs().mean()
    assert followed < 0.012
    assert followed < 0.25 * stayed


def test_sizes_look_alike(portrait):
    def at(side):
        scale = side / 256
        photo = functional.interpolate(portrait.photo, size=(side, side), mode="bicubic").clamp(0, 1)
        points = (portrait.landmarks + 0.5) * scale - 0.5
        matte = functional.interpolate(portrait.matte, size=(side, side), mode="bilinear")
        return functional.interpolate(
            make_drawer().draw(photo, landmarks=points, matte=matte), size=(128, 128), mode="area"
        )

    small, large = at(256), at(1024)
    assert (small - large).abs().mean() < 0.03
    assert np.corrcoef(small.flatten(), large.flatten())[0, 1] > 0.97


@pytest.mark.parametrize(("height", "width"), [(256, 341), (517, 389), (300, 1000), (32, 45), (130, 131)])
def test_any_size(height, width):
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    photo = (0.8 - 0.6 * ((x * width / height) ** 2 + y**2 < 0.4).float()).expand(1, 3, height, width)
    drawing = make_drawer("ink", board=192).draw(photo)
    assert drawing.shape == (1, 1, height, width)
    assert drawing.isfinite().all()
    assert 0.0 <= drawing.min() < 0.1
    assert drawing.max() == 1.0


def test_grey_input_is_the_same_as_three_equal_channels(portrait):
    grey = portrait.photo.mean(1, keepdim=True)
    drawer = make_drawer("ink", board=256)
    assert (drawer.draw(grey) - drawer.draw(grey.expand(1, 3, 256, 256))).abs().mean() < 1e-4


def test_landmarks_of_three_coordinates_are_the_same_as_of_two(portrait):
    drawer = make_drawer("ink", board=192)
    solid = torch.cat((portrait.landmarks, torch.rand(1, 68, 1)), -1)
    assert torch.equal(
        drawer.draw(portrait.photo, landmarks=solid), drawer.draw(portrait.photo, landmarks=portrait.landmarks)
    )


def test_an_empty_matte_fills_nothing_and_keeps_lines(portrait):
    nobody = make_drawer().draw(portrait.photo, matte=torch.zeros_like(portrait.matte))
    somebody = make_drawer().draw(portrait.photo)
    assert 0.0 < float(1 - nobody.mean()) < 0.5 * float(1 - somebody.mean())


def test_the_matte_closes_a_silhouette_that_the_photo_does_not_show():
    photo = torch.full((1, 3, 256, 256), 0.6)
    photo[..., 230:, :] = 0.1
    y, x = torch.meshgrid(torch.linspace(-1, 1, 256), torch.linspace(-1, 1, 256), indexing="ij")
    matte = torch.sigmoid(40 * (0.6 - torch.sqrt(x * x + y * y)))[None, None]
    blank = make_drawer().draw(photo)[..., :200, :]
    drawing = make_drawer().draw(photo, matte=matte)[..., :200, :]
    assert blank.mean() > 0.999
    ring = ((torch.sqrt(x * x + y * y) - 0.6).abs() < 0.03)[:190]
    assert float((drawing[0, 0, :190][ring]).min()) < 0.05
    assert float(drawing[0, 0, :190][~ring].mean()) > 0.999
    assert float((1 - drawing).sum()) > 300


def test_nothing_is_learnt_and_inputs_stay_untouched(portrait):
    photo = portrait.photo.clone().requires_grad_()
    drawing = make_drawer("pencil", board=128).draw(photo)
    assert not drawing.requires_grad
    assert torch.equal(photo, portrait.photo)


@pytest.mark.parametrize(
    ("photo", "arguments", "words"),
    [
        (torch.rand(3, 64, 64), {}, "photo must be floating point"),
        (torch.rand(1, 4, 64, 64), {}, "photo must be floating point"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), {}, "photo must be floating point"),
        (torch.rand(1, 3, 64, 20), {}, "at least 32 pixels"),
        (torch.rand(1, 3, 64, 64) * 255, {}, r"in \[0, 1\]"),
        (torch.rand(1, 3, 64, 64) * 2 - 1, {}, r"in \[0, 1\]"),
        (torch.full((1, 3, 64, 64), torch.nan), {}, r"in \[0, 1\]"),
        (torch.rand(1, 3, 64, 64), {"landmarks": torch.rand(1, 67, 2)}, "landmarks must be"),
        (torch.rand(2, 3, 64, 64), {"landmarks": torch.rand(1, 68, 2)}, "landmarks must be"),
        (torch.rand(1, 3, 64, 64), {"landmarks": torch.rand(1, 68, 4)}, "landmarks must be"),
        (torch.rand(1, 3, 64, 64), {"matte": torch.rand(1, 1, 64, 65)}, "matte must be"),
        (torch.rand(1, 3, 64, 64), {"matte": torch.rand(64, 64)}, "matte must be"),
    ],
)
def test_wrong_input(photo, arguments, words):
    with pytest.raises(ValueError, match=words):
        make_drawer().draw(photo, **arguments)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"look": "oil"}, "ink, pencil"),
        ({"line_weight": 0.0}, "line_weight is 0.0"),
        ({"board": 10}, "between 128 and 2048"),
        ({"detail": float("nan")}, "detail is nan"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_options(options, words):
    with pytest.raises(ConfigError, match=words):
        make_drawer(**options)
