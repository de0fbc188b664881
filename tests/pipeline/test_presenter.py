"""The square alone, in its surroundings, and beside the photo."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.geometry.alignment import PortraitFrame
from lightning_modules.pipeline.portrait import Portrait
from lightning_modules.pipeline.presenter import InSurroundings, Square, Surroundings, draw_surroundings, make_presenter


def test_the_square_is_shown_as_it_is() -> None:
    frames = np.zeros((2, 8, 8, 1), np.uint8)
    assert Square(8).show(frames) is frames


@pytest.mark.parametrize(
    ("photo", "frame", "canvas", "placed", "side"),
    [
        ((300, 260), PortraitFrame(30, 20, 200), (260, 300), (30, 20, 200), 200),
        ((3000, 4001), PortraitFrame(1000, 500, 1500), (4000, 3000), (1000, 500, 1500), 1024),
        ((6000, 8192), PortraitFrame(1000, 500, 1200), (4096, 3000), (500, 250, 600), 600),
        ((301, 261), PortraitFrame(-20, 5, 90), (260, 300), (-20, 5, 90), 128),
        ((4000, 3000), PortraitFrame(0, 0, 3000), (3000, 4000), (0, 0, 3000), 1024),
    ],
)
def test_where_the_square_lies(
    photo: tuple[int, int], frame: PortraitFrame, canvas: tuple[int, int], placed: tuple[int, int, int], side: int
) -> None:
    around = Surroundings.of(photo, frame)
    assert (around.width, around.height) == canvas
    assert (around.frame.left, around.frame.top, around.frame.side) == placed
    assert around.square_side() == side


def test_an_unchanged_square_leaves_the_canvas_unchanged() -> None:
    canvas = np.random.default_rng(0).integers(0, 256, (60, 80, 1), np.uint8)
    shown = InSurroundings(canvas, PortraitFrame(10, 5, 40)).show(canvas[None, 5:45, 10:50])
    assert np.array_equal(shown[0], canvas)


def test_only_the_square_changes() -> None:
    canvas = np.full((60, 80, 1), 255, np.uint8)
    shown = InSurroundings(canvas, PortraitFrame(10, 5, 40)).show(np.zeros((3, 40, 40, 1), np.uint8))
    assert shown.shape == (3, 60, 80, 1)
    inside = np.zeros((60, 80), bool)
    inside[5:45, 10:50] = True
    assert (shown[:, ~inside] == 255).all()
    assert (shown[:, 10:40, 15:45] == 0).all()


def test_surroundings_of_blank_paper_are_blank() -> None:
    photo = np.full((200, 180, 3), 200, np.uint8)
    drawn = draw_surroundings(photo, Surroundings.of((200, 180), PortraitFrame(20, 20, 120)), "ink")
    assert drawn.shape == (200, 180, 1)
    assert drawn.min() == 255


def test_lines_are_as_wide_around_a_small_face_as_in_its_square() -> None:
    """A thin dark rod, in a picture that is all square and in one three times as wide; a dark strip sets the black."""
    square = np.full((300, 300, 3), 190, np.uint8)
    large = np.full((900, 900, 3), 190, np.uint8)
    square[:, :12] = large[:, :36] = 0
    square[60:240, 147:153] = large[360:540, 447:453] = 90
    alone = draw_surroundings(square, Surroundings.of((300, 300), PortraitFrame(0, 0, 300)), "pencil")
    within = draw_surroundings(large, Surroundings.of((900, 900), PortraitFrame(300, 300, 300)), "pencil")
    rods = [alone[100:200, 120:180], within[400:500, 420:480]]
    wide = [(255.0 - rod[..., 0]).sum(1).mean() / 255 for rod in rods]
    assert 1 < wide[0] < 12
    assert wide[1] == pytest.approx(wide[0], rel=0.15)


@pytest.mark.parametrize(("photo", "side"), [((2667, 4000), 300), ((4000, 4000), 60), ((400, 4000), 100)])
def test_no_small_face_makes_the_board_large(
    photo: tuple[int, int], side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning_modules.drawing import drawer

    class Blank:
        def draw(self, photo, *, landmarks, matte):
            return photo[:, :1] * 0 + 1

    asked: list[dict[str, float]] = []
    monkeypatch.setattr(drawer, "make_drawer", lambda _, **options: asked.append(options) or Blank())
    around = Surroundings.of(photo, PortraitFrame(200, 200, side))
    draw_surroundings(np.zeros((*photo, 3), np.uint8), around, "ink")
    board, span = asked[0]["board"], asked[0]["span"]
    assert board * board * max(photo) / min(photo) <= 1.21e6
    assert span * board == pytest.approx(384)


def test_beside_the_photo(portrait: Portrait, photo: object) -> None:
    presenter = make_presenter(photo, portrait, look="ink", surroundings=None, side_by_side=True)  # type: ignore[arg-type]
    shown = presenter.show(np.zeros((2, 128, 128, 1), np.uint8))
    assert shown.shape == (2, presenter.size[1], presenter.size[0], 3)
    assert np.abs(shown[0, 64, 64].astype(int) - (portrait.photo[0, :, 64, 64] * 255).round().numpy()).max() <= 1
    assert (shown[:, :, -64:] == 0).all()
