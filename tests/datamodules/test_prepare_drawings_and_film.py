from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from datamodules.prepare.clip_record import read_clip
from datamodules.prepare.drawing_record import read_drawing
from datamodules.prepare.drawings import prepare_drawings
from datamodules.prepare.drawn_faces import SHOWINGS, Showing, find_drawn_faces
from datamodules.prepare.film import COLOUR_LOOKS, FilmSettings, FilmTools, prepare_film
from datamodules.prepare.film_clips import clearly_seen, common_frame, face_contrast, face_runs, steady_run
from datamodules.prepare.films import find_films
from datamodules.prepare.manifest import read_manifest, verify_manifest
from datamodules.synthetic.faces import in_crop, random_face, talking_face
from datamodules.synthetic.pictures import draw_lines, draw_photo, random_look
from datamodules.synthetic.portraits import mask_planes, random_portrait
from lightning_modules.drawing.drawer import make_drawer
from lightning_modules.drawing.film_lines import METHOD
from lightning_modules.errors import ConfigError, PreparedSetError, VideoError
from lightning_modules.faces.face import FaceList, make_face
from lightning_modules.geometry.alignment import portrait_frame

SIDE = 160


class KnownFaces:
    """Knows the landmarks of the pictures it was told; finds them in exactly those pixels, by a corner's colour."""

    name = "known"

    def __init__(self, known):
        self._known = known

    def find_faces(self, rgb):
        code = tuple(int(v) for v in rgb[0, 0])
        return FaceList(make_face(points, 0.9) for points in self._known.get(code, ()))


def marked(picture, number):
    rgb = np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture.copy()
    code = (10 + number // 200, number % 200, 77)
    rgb[0, 0] = code
    return rgb, code


@pytest.fixture
def drawings(tmp_path):
    folder, known = tmp_path / "drawings", {}
    folder.mkdir()
    for number in range(4):
        points, look = random_portrait(np.random.default_rng(number), SIDE)
        rgb, code = marked(draw_lines(points, SIDE, look, colour=True), number)
        Image.fromarray(rgb).save(folder / f"d{number}.png")
        known[code] = [points] if number != 2 else []
    (folder / "SOURCE.md").write_text("# Heads\nLicence: CC0.\n")
    return folder, known


@pytest.fixture
def trusted(monkeypatch):
    """Known faces are known by one pixel, which a second look changes."""
    monkeypatch.setattr("datamodules.prepare.drawings.face_is_doubtful", lambda *_: "")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("channels", [1, 3])
def test_drawings_become_records(drawings, tmp_path, channels):
    folder, known = drawings
    report = prepare_drawings(
        folder, tmp_path / "set", size=128, channels=channels, workers=0, make_analyzer=lambda _: KnownFaces(known)
    )
    assert (report.accepted, len(report.rejected)) == (3, 1)
    assert report.rejected[0].source == "d2.png"
    assert "no face found in 160×160 pixels (tried: as it is, enlarged" in report.rejected[0].text
    assert report.licences == {"CC0": 3}
    assert verify_manifest(tmp_path / "set").ok
    assert (tmp_path / "set" / "sheets" / "page_001.png").is_file()
    row = read_manifest(tmp_path / "set")[0]
    record = read_drawing(tmp_path / "set" / "records" / row["id"])
    points = known[(10, 0, 77)][0]
    frame = portrait_frame(points)
    assert record.drawing.shape == ((128, 128) if channels == 1 else (128, 128, 3))
    assert record.frame == frame
    assert record.help == "as it is"
    ratio = 128 / frame.side
    expected = (points[:, :2] - [frame.left, frame.top] + 0.5) * ratio - 0.5
    assert np.allclose(record.landmarks[:, :2], expected, atol=1e-3)
    masks = np.moveaxis(mask_planes(record.landmarks, 128), 0, -1)
    assert np.array_equal(record.part_masks, masks)


@pytest.mark.usefixtures("trusted")
def test_drawings_are_prepared_once(drawings, tmp_path):
    folder, known = drawings
    options = {"size": 64, "workers": 0, "contact_sheets": False, "make_analyzer": lambda _: KnownFaces(known)}
    first = prepare_drawings(folder, tmp_path / "set", **options)
    again = prepare_drawings(folder, tmp_path / "set", **options)
    assert (first.prepared, again.prepared, again.kept) == (3, 0, 3)
    with pytest.raises(PreparedSetError, match="channels 1 there, 3 now"):
        prepare_drawings(folder, tmp_path / "set", **options, channels=3)
    with pytest.raises(ConfigError, match="2 channels"):
        prepare_drawings(folder, tmp_path / "other", **options, channels=2)


def test_profiles_are_rejected(drawings, tmp_path):
    folder, known = drawings
    for faces in known.values():
        for points in faces:
            points[:, 2] += 3 * (points[:, 0] - points[:, 0].mean())
    report = prepare_drawings(folder, tmp_path / "set", size=64, workers=0, make_analyzer=lambda _: KnownFaces(known))
    assert report.accepted == 0
    assert sum("the head is turned by about" in entry.text for entry in report.rejected) == 3


class FindsIn:
    """Finds a face at a fixed place of the picture it is shown, if that has a certain size."""

    name = "picky"

    def __init__(self, shape, points):
        self._shape, self._points = shape, points

    def find_faces(self, rgb):
        return FaceList([make_face(self._points, 0.8)] if rgb.shape[:2] == self._shape else [])


@pytest.mark.parametrize(
    ("showing", "shape", "where"),
    [
        (Showing("enlarged", longest_side=400), (200, 400), lambda p: (p + 0.5) / 2 - 0.5),
        (Showing("bordered", border=0.5), (300, 400), lambda p: p - 100),
        (Showing("both", border=0.5, longest_side=200), (150, 200), lambda p: (p + 0.5) * 2 - 0.5 - 100),
    ],
)
def test_helped_landmarks_come_back_to_the_drawing(showing, shape, where):
    points = in_crop(random_face(np.random.default_rng(0)), 90)
    rgb = np.full((100, 200, 3), 255, np.uint8)
    faces, name = find_drawn_faces(rgb, FindsIn(shape, points), (SHOWINGS[0], showing))
    assert name == showing.name
    assert np.allclose(faces[0].landmarks[:, :2], where(points[:, :2]), atol=1e-3)
    assert find_drawn_faces(rgb, FindsIn((1, 1), points))[0].tried == tuple(s.name for s in SHOWINGS)


def frames_folder(folder, known, seed, count, *, hide=(), start=0):
    """A film of frames with a talking face, whose place the analyzer is told."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    face, look = random_face(generator), random_look(generator)
    track = in_crop(talking_face(generator, face, count), SIDE)
    for number in range(count):
        picture = draw_photo(track[number], SIDE, look)
        rgb, code = marked(picture, start + number)
        Image.fromarray(rgb).save(folder / f"{number}.png")
        known[code] = [] if number in hide else [track[number]]
    return track


class Darkness:
    """Draws what is darker than the middle."""

    name, channels = "darkness", 1

    def draw(self, photo, *, landmarks=None, matte=None):
        return (photo.mean(1, keepdim=True) > 0.5).float()

    def settings(self):
        return {}


class NoMatter:
    name = "all"

    def matte(self, rgb):
        return np.ones(rgb.shape[:2], np.float32)


SETTINGS = FilmSettings(size=64, shortest=3, longest=12)


@pytest.fixture
def film(tmp_path):
    known = {}
    tracks = {
        "one": frames_folder(tmp_path / "film" / "one", known, 1, 9, hide=(6,)),
        "two": frames_folder(tmp_path / "film" / "two", known, 2, 5, start=20),
        "blind": frames_folder(tmp_path / "film" / "blind", known, 3, 4, hide=range(4), start=40),
    }

    def tools(settings):
        analyzer = KnownFaces(known)
        return FilmTools(analyzer, NoMatter(), Darkness()) if settings.lines else FilmTools(analyzer, None, None)

    return tmp_path / "film", tracks, tools


@pytest.mark.parametrize("lines", [True, False])
def test_films_become_clips(film, tmp_path, lines):
    source, tracks, tools = film
    settings = replace(SETTINGS, lines=lines)
    report = prepare_film(source, tmp_path / "set", settings, workers=0, make_tools=tools)
    assert (report.accepted, len(report.rejected)) == (2, 1)
    assert report.rejected[0].source == "blind/frames_000000-000003.clip"
    assert "no face is seen clearly in any of 4 frames" in report.rejected[0].text
    assert verify_manifest(tmp_path / "set").ok
    assert not report.findings["Records without a file in the source"]
    clips = [read_clip(tmp_path / "set" / "records" / row["id"]) for row in read_manifest(tmp_path / "set")]
    assert [(clip.source.name, clip.first, len(clip)) for clip in clips] == [("one", 0, 6), ("two", 0, 5)]
    assert clips[0].scene == "one/shot_0001"
    for clip in clips:
        assert clip.frames.shape == (len(clip), 64, 64)
        assert (clip.landmarks[..., 1] < 64).all()
        # One crop for all frames: back in film pixels, the landmarks are the track, up to its smoothing.
        scale = clip.frame.side / 64
        back = (clip.landmarks[..., :2] + 0.5) * scale - 0.5 + [clip.frame.left, clip.frame.top]
        assert np.abs(back - tracks[clip.source.name][: len(clip), :, :2]).max() < 1.5
    if lines:
        assert set(np.unique(clips[0].frames)) <= {0, 255}
    again = prepare_film(source, tmp_path / "set", settings, workers=0, make_tools=tools)
    assert (again.prepared, again.kept, len(again.rejected)) == (0, 2, 1)


def test_long_shots_become_pieces_of_one_scene(film, tmp_path):
    source, _, tools = film
    settings = replace(SETTINGS, longest=5)
    prepare_film(source, tmp_path / "set", settings, workers=0, contact_sheets=False, make_tools=tools)
    clips = [read_clip(tmp_path / "set" / "records" / row["id"]) for row in read_manifest(tmp_path / "set")]
    pieces = [clip for clip in clips if clip.source.name == "one"]
    assert [(clip.first, len(clip)) for clip in pieces] == [(0, 4)]  # the second piece, 4 to 8, has a gap at 6
    report = prepare_film(
        source, tmp_path / "short", replace(SETTINGS, longest=5, shortest=2), workers=0, make_tools=tools
    )
    assert report.accepted == 3
    scenes = {read_clip(path).scene for path in (tmp_path / "short" / "records").iterdir()}
    assert scenes == {"one/shot_0001", "two/shot_0001"}


def test_a_clip_is_written_whole_or_not_at_all(film, tmp_path, monkeypatch):
    source, _, tools = film
    from pathlib import Path as AnyPath

    written = []
    original = AnyPath.write_bytes

    def fails_at_the_eighth(self, content):
        written.append(self)
        if len(written) == 8:
            raise KeyboardInterrupt
        return original(self, content)

    monkeypatch.setattr(AnyPath, "write_bytes", fails_at_the_eighth)
    report = prepare_film(source, tmp_path / "set", SETTINGS, workers=0, contact_sheets=False, make_tools=tools)
    monkeypatch.undo()
    assert report.interrupted
    records = list((tmp_path / "set" / "records").iterdir())
    assert [len(read_clip(path)) for path in records] == [6]
    rest = prepare_film(source, tmp_path / "set", SETTINGS, workers=0, contact_sheets=False, make_tools=tools)
    assert (rest.kept, rest.prepared) == (1, 1)


def test_a_film_that_cannot_be_read_is_one_rejection(film, tmp_path):
    source, _, tools = film
    (source / "broken.mp4").write_bytes(b"no film")
    report = prepare_film(source, tmp_path / "set", SETTINGS, workers=0, contact_sheets=False, make_tools=tools)
    assert [entry.source for entry in report.rejected] == ["blind/frames_000000-000003.clip", "broken.mp4/all.clip"]
    assert report.accepted == 2


def test_films_are_found_with_their_frames_in_order(tmp_path):
    known = {}
    frames_folder(tmp_path / "a", known, 1, 12)
    (tmp_path / "b").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "b" / "alone.png")
    films, others = find_films(tmp_path)
    assert [film.name for film in films] == ["a"]
    assert [picture.name for picture in films[0].pictures] == [f"{k}.png" for k in range(12)]
    assert others == ("b/alone.png",)
    assert len(list(films[0].frames(3, 7))) == 4
    with pytest.raises(VideoError, match="holds no film"):
        find_films(tmp_path / "b")


class Paint(Darkness):
    channels = 3

    def draw(self, photo, *, landmarks=None, matte=None):
        return photo


@pytest.mark.parametrize("channels", [1, 3])
def test_a_look_in_colour_gives_clips_in_colour_or_gray(film, tmp_path, channels):
    source, _, tools = film

    def painted(settings):
        return replace(tools(settings), drawer=Paint())

    settings = replace(SETTINGS, look="cartoon", channels=channels)
    assert prepare_film(source, tmp_path / "set", settings, workers=0, make_tools=painted).accepted == 2
    row = read_manifest(tmp_path / "set")[0]
    clip = read_clip(tmp_path / "set" / "records" / row["id"])
    assert clip.channels == channels
    assert clip.tools["lines"]["film"] == METHOD


def test_film_drawn_another_way_needs_another_folder(film, tmp_path, monkeypatch):
    source, _, tools = film
    prepare_film(source, tmp_path / "set", SETTINGS, workers=0, make_tools=tools)
    monkeypatch.setattr("lightning_modules.drawing.film_lines.METHOD", "frames over time")
    with pytest.raises(PreparedSetError, match=f"tools.lines.film '?{METHOD}'? there, '?frames over time'? now"):
        prepare_film(source, tmp_path / "set", SETTINGS, workers=0, make_tools=tools)


def test_looks_in_colour_are_those_with_three_channels():
    for look in ("ink", "pencil", "cartoon"):
        assert (make_drawer(look).channels == 3) == (look in COLOUR_LOOKS)
    FilmSettings(look="cartoon", channels=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 10},
        {"channels": 3},
        {"channels": 2},
        {"shortest": 1},
        {"shortest": 9, "longest": 8},
        {"landmarks": "file"},
    ],
)
def test_film_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        FilmSettings(**wrong)


def face_at(x, y=100.0, scale=60.0):
    return make_face((random_face(np.random.default_rng(0)) * scale + [x, y, 0]).astype(np.float32), 1.0)


def test_a_run_ends_where_the_face_is_lost_or_another():
    still = [[face_at(100 + k)] for k in range(4)]
    runs = face_runs([*still, [], *still, [face_at(300)], [face_at(301), face_at(100, scale=80)]])
    assert [(run.first, len(run)) for run in runs] == [(0, 4), (5, 4), (9, 2)]


def test_a_wandering_face_keeps_its_calmest_stretch():
    wander = [face_at(100 + 13 * k) for k in range(6)] + [face_at(178 + k) for k in range(9)]
    run = face_runs([[face] for face in wander])[0]
    assert len(run) == 15
    best = steady_run(run)
    single = portrait_frame(best.landmarks[0]).side
    assert len(best) < 15
    assert best.first + len(best) == 15
    assert common_frame(best.landmarks).side <= 1.35 * single
    wider = common_frame(run.landmarks[best.first - 1 :]).side
    assert wider > 1.35 * single


def test_a_still_face_gets_its_own_portrait_frame():
    face = face_at(100)
    assert common_frame(np.stack([face.landmarks] * 3)) == portrait_frame(face.landmarks)


def test_a_moving_face_stays_in_the_crop_of_each_frame():
    track = np.stack([face_at(100 + 5 * k, 90 + 2 * k).landmarks for k in range(5)])
    frame = common_frame(track)
    for points in track:
        own = portrait_frame(points)
        assert frame.left <= own.left
        assert frame.top <= own.top
        assert frame.right >= own.right
        assert frame.bottom >= own.bottom


def test_a_fade_ends_a_run():
    face = make_face(in_crop(random_face(np.random.default_rng(0)), SIDE), 1.0)
    picture = draw_photo(face.landmarks, SIDE, random_look(np.random.default_rng(0))).astype(np.float32)
    light = [1.0, 0.98, 1.0, 0.95, 0.99, 0.8, 0.6, 0.4, 0.2, 0.05, 0.0]
    frames = [(picture * share).astype(np.uint8) for share in light]
    seen = list(clearly_seen(frames, lambda given: ([face] for _ in given)))
    assert [len(faces) for faces in seen] == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert [len(run) for run in face_runs(seen)] == [5]
    half = np.zeros((SIDE, SIDE, 3), np.uint8)
    half[:, : int((face.box.left + face.box.right + 1) // 2)] = 255
    assert face_contrast(half, face) == pytest.approx(0.5, abs=0.01)
    assert list(clearly_seen([frames[0]], lambda given: ([] for _ in given))) == [[]]
