"""Talking-face videos to records: a made-up analyzer reads the mouth from the picture's corner."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_face_tools import unit_face

from datamodules.prepare.face_motion import face_motion, mouth_opening, sound_delay, sound_of
from datamodules.prepare.manifest import verify_manifest
from datamodules.prepare.speech_from_videos import VideoSettings, prepare_talking_videos
from datamodules.prepare.speech_set import read_speech, speech_entries
from datamodules.prepare.talking_faces import follow_faces
from datamodules.prepare.video_tracks import read_tracks
from datamodules.synthetic.faces import template
from lightning_modules.errors import AudioError, BackendError, ConfigError, VideoError
from lightning_modules.faces.face import make_face
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.head_pose import apply_pose, face_frame
from lightning_modules.pipeline.video_writer import VideoWriter

LOWER_LIP = [55, 56, 57, 58, 59, 65, 66, 67]


def face_at(x=100.0, y=100.0, mouth=0.0, size=60.0):
    points = unit_face().astype(np.float64)
    points[LOWER_LIP, 1] += mouth
    return make_face(points * size + [x, y, 0], 0.9)


def test_short_gaps_are_interpolated_in_all_three_dimensions():
    first, last = face_at(100), face_at(112)
    last.landmarks[:, 2] += 6
    (track,) = follow_faces([[first], *[[]] * 5, [last]])
    assert (track.first, len(track), track.interpolated, track.ended) == (0, 7, 5, "end")
    for number in range(7):
        share = number / 6
        expected = (1 - share) * first.landmarks + share * last.landmarks
        np.testing.assert_allclose(track.landmarks[number], expected, atol=1e-4)


def test_longer_gaps_end_the_track():
    faces = [[], [face_at()], [face_at()], *[[]] * 6, [face_at()], []]
    first, second = follow_faces(faces)
    assert (first.first, len(first), first.interpolated, first.ended) == (1, 2, 0, "lost")
    assert (second.first, len(second), second.interpolated, second.ended) == (9, 1, 0, "end")


def test_another_face_is_not_followed_and_a_jump_ends_the_track():
    small, large = face_at(300, size=30), face_at(100, size=60)
    (track,) = follow_faces([[small, large], [small, large], [small], [small, large]])
    assert track.interpolated == 1
    np.testing.assert_array_equal(track.landmarks[0], large.landmarks)
    before, after = follow_faces([[face_at(100)], [face_at(114)], [face_at(114)]])
    assert (len(before), before.ended, after.first, len(after)) == (1, "jump", 1, 2)
    assert follow_faces([[], []]) == []


def turned(degrees):
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])


def test_head_motion_is_taken_out_and_kept_apart():
    """A frontal face of 80 px that turns, moves and opens its mouth: lips come back, in face units."""
    rest = frontal_face() * 80
    count = 50
    opening = 0.1 * (1 - np.cos(np.linspace(0, 4 * np.pi, count)))
    track = np.repeat(rest[None], count, axis=0)
    track[:, LOWER_LIP, 1] += 80 * opening[:, None]
    for number in range(count):
        track[number] = track[number] @ turned(0.2 * number).T + [200 + 0.5 * number, 150, 0]
    motion = face_motion(track, 126)
    assert motion.registered.shape == (126, 68, 3)
    assert motion.registered.dtype == motion.pose.dtype == motion.static.dtype == np.float32
    assert motion.eye_distance == pytest.approx(80, abs=0.1)
    expected = frontal_face() - frontal_face()[[36, 45]].mean(axis=0)
    np.testing.assert_allclose(motion.static, expected, atol=2e-3)
    gap = motion.registered[:, 66, 1] - motion.registered[:, 62, 1]
    times = np.minimum(np.arange(126) / 2.5, count - 1)
    wanted = np.interp(times, np.arange(count), opening) + expected[66, 1] - expected[62, 1]
    np.testing.assert_allclose(gap, wanted, atol=2e-3)
    frame = face_frame(track[int(np.argmin(mouth_opening(track)))], frontal_face())
    back = apply_pose(motion.registered, motion.pose)
    np.testing.assert_allclose(back[::5][:24], frame.to_face_units(track[::2][:24]), atol=4e-3)


def test_mouth_opening_by_hand():
    """Pairs that are 1, 2 and hypot(3, 4) apart; depth does not count."""
    mouth = np.zeros((2, 68, 3))
    mouth[0, [67, 66, 65], :2] = [(0, 1), (0, 2), (3, -4)]
    mouth[1] = mouth[0] * [-1, 1, 1]
    mouth[:, 66, 2] = 7
    np.testing.assert_allclose(mouth_opening(mouth), [8 / 3, 8 / 3])
    assert mouth_opening(template()) == 0


class CornerAnalyzer:
    """One face whose mouth is as open as the upper left corner is bright; none where the corner is black."""

    name = "corner"

    def find_faces(self, rgb):
        bright = float(rgb[:16, :16].mean()) / 255
        return [face_at(96, 64, mouth=0.2 * (bright - 0.3))] if bright > 0.15 else []


class Analyzers:
    """Makes analyzers and counts the frames that they look at."""

    def __init__(self):
        self.frames = 0

    def __call__(self, _):
        return self

    name = "corner"

    def find_faces(self, rgb):
        self.frames += 1
        return CornerAnalyzer().find_faces(rgb)


def film(path, brightness, *, sound=True, fps=25):
    """A film whose corner has the given brightness, and whose loudness follows it."""
    frames = np.full((len(brightness), 128, 192, 3), 128, np.uint8)
    frames[:, :16, :16] = np.asarray(255 * np.asarray(brightness), np.uint8)[:, None, None, None]
    seconds = np.arange(round(len(brightness) / fps * 16000)) / 16000
    loudness = np.interp(seconds, np.arange(len(brightness)) / fps, np.maximum(np.asarray(brightness) - 0.3, 0))
    wave = (loudness * np.sin(2 * np.pi * 140 * seconds)).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, (192, 128), fps, frames=len(frames), sound=(wave, 16000) if sound else None) as writer:
        writer.write(frames)


def talk(count):
    return 0.45 - 0.15 * np.cos(np.linspace(0, 6 * np.pi, count))


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    film(folder / "anna" / "whole.mp4", talk(60))
    film(folder / "anna" / "split.mp4", np.concatenate([talk(40), np.zeros(8), talk(35), np.zeros(7), talk(10)]))
    film(folder / "bert" / "mute.mp4", talk(30), sound=False)
    film(folder / "bert" / "empty.mp4", np.zeros(30))
    (folder / "anna" / "SOURCE.md").write_text("# Anna\nLicence: CC0 1.0.\n", encoding="utf-8")
    return folder


def prepare(videos, destination, analyzers, **options):
    chosen = VideoSettings(**{"embedding": False, "speaker": "folder", **options})
    return prepare_talking_videos(videos, destination, chosen, workers=0, make_analyzer=analyzers)


def test_videos_become_records_and_the_report_says_what_was_dropped(videos, tmp_path):
    analyzers = Analyzers()
    done = tmp_path / "set"
    report = prepare(videos, done, analyzers)
    assert report.accepted == 3
    reasons = {entry.source.split("/frames")[0]: entry.text for entry in report.rejected}
    assert "has no sound" in reasons["bert/mute.mp4"]
    assert "no face is seen" in reasons["bert/empty.mp4"]
    assert "followed for only 0.40 s from 3.60 s on" in reasons["anna/split.mp4"]
    assert verify_manifest(done).ok
    records = {entry.id: read_speech(entry.folder) for entry in speech_entries(done)}
    lengths = sorted(round(record.duration, 2) for record in records.values())
    assert lengths == [1.4, 1.6, 2.4]
    for record in records.values():
        assert (record.voice, record.face, record.licence, record.synthetic) == ("anna", "anna", "CC0 1.0", False)
        assert len(record) == len(record.samples) // 256 + 1
        level = np.array([np.abs(record.samples[256 * i : 256 * i + 300]).max() for i in range(len(record) - 2)])
        gap = record.registered[:-2, 66, 1] - record.registered[:-2, 62, 1]
        assert np.corrcoef(level, gap)[0, 1] > 0.95, "sound and picture are of the same stretch"
    looked = analyzers.frames
    again = prepare(videos, done, analyzers)
    # What failed is tried again, what has tracks is not: the mute film is refused before anyone looks at it.
    assert (again.kept, analyzers.frames) == (3, looked)
    for record in (done / "records").iterdir():
        (record / "speech.npz").unlink()
    assert prepare(videos, done, analyzers).prepared == 3
    assert analyzers.frames == looked


def test_faster_films_are_seen_at_25_frames_a_second(tmp_path):
    film(tmp_path / "videos" / "fast.mp4", talk(100), fps=50)
    analyzers = Analyzers()
    assert prepare(tmp_path / "videos", tmp_path / "set", analyzers).accepted == 1
    assert analyzers.frames == 50
    (entry,) = speech_entries(tmp_path / "set")
    assert read_speech(entry.folder).duration == pytest.approx(2.0)


def test_a_speaker_is_a_file_unless_told_otherwise(tmp_path):
    film(tmp_path / "videos" / "anna" / "one.mp4", talk(30))
    prepare(tmp_path / "videos", tmp_path / "set", Analyzers(), speaker="file")
    (entry,) = speech_entries(tmp_path / "set")
    assert (entry.voice, entry.sentence) == ("anna/one", "anna/one")


def test_an_interrupted_preparation_goes_on(tmp_path):
    film(tmp_path / "videos" / "a.mp4", talk(30))
    film(tmp_path / "videos" / "b.mp4", talk(30))

    class Impatient(Analyzers):
        def find_faces(self, rgb):
            if self.frames == 40:
                raise KeyboardInterrupt
            return super().find_faces(rgb)

    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "videos", tmp_path / "set", Impatient())
    patient = Analyzers()
    assert prepare(tmp_path / "videos", tmp_path / "set", patient).accepted == 2
    assert patient.frames == 30


def test_tiny_faces_are_refused(tmp_path):
    film(tmp_path / "videos" / "a.mp4", talk(30))

    class Far(Analyzers):
        def find_faces(self, rgb):
            return [face_at(96, 64, size=20)]

    report = prepare(tmp_path / "videos", tmp_path / "set", Far())
    assert "the face is tiny: 14 px" in report.rejected[0].text


def test_sound_is_cut_to_the_picture(tmp_path):
    film(tmp_path / "a.mp4", talk(50))
    whole = sound_of(tmp_path / "a.mp4", 0, 50)
    assert whole.shape == (32000,)
    assert whole.dtype == np.int16
    np.testing.assert_array_equal(sound_of(tmp_path / "a.mp4", 10, 30), whole[6400:19200])
    assert sound_delay(tmp_path / "a.mp4") == 0
    with pytest.raises(AudioError, match="does not cover"):
        sound_of(tmp_path / "a.mp4", 100, 200)


def test_late_sound_is_moved_to_its_place(tmp_path, monkeypatch):
    film(tmp_path / "a.mp4", talk(50))
    whole = sound_of(tmp_path / "a.mp4", 0, 50)
    monkeypatch.setattr("datamodules.prepare.face_motion.sound_delay", lambda _: 0.1)
    late = sound_of(tmp_path / "a.mp4", 0, 50)
    assert not late[:1600].any()
    np.testing.assert_array_equal(late[1600:], whole[:-1600])


def test_bad_wishes_cost_one_line(tmp_path, monkeypatch):
    for options in ({"shortest": 0.1}, {"landmarks": "file"}):
        with pytest.raises(ConfigError):
            VideoSettings(**options)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(VideoError, match="holds no videos"):
        prepare(tmp_path / "nothing", tmp_path / "set", Analyzers())
    film(tmp_path / "videos" / "a.mp4", talk(30))
    with pytest.raises(ConfigError, match="leaves none"):
        prepare_talking_videos(tmp_path / "videos", tmp_path / "set", limit=0)

    def absent(*_):
        raise BackendError("the weights are not here", "install the extra")

    monkeypatch.setattr("lightning_modules.audio.speaker_embedding.embed_speaker", absent)
    with pytest.raises(BackendError, match="--no-embedding"):
        prepare(tmp_path / "videos", tmp_path / "set", Analyzers(), embedding=True)
    assert not (tmp_path / "set" / "set.json").exists()


def test_damaged_tracks_are_made_anew(tmp_path):
    film(tmp_path / "videos" / "a.mp4", talk(30))
    prepare(tmp_path / "videos", tmp_path / "set", Analyzers())
    (file,) = (tmp_path / "set" / "tracks").iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    assert read_tracks(file, "") is None
    analyzers = Analyzers()
    assert prepare(tmp_path / "videos", tmp_path / "set", analyzers).kept == 1
    assert analyzers.frames == 30


@pytest.mark.slow
def test_real_talking_faces(shared_data, tmp_path):
    """A real speaker: the mouth opens and closes as mouths do, and the head's movement is small."""
    report = prepare_talking_videos(
        shared_data / "videos" / "grid_lipnet", tmp_path / "set", VideoSettings(embedding=False), limit=2, workers=0
    )
    assert report.accepted == 2
    for entry in speech_entries(tmp_path / "set"):
        record = read_speech(entry.folder)
        gap = record.registered[:, 66, 1] - record.registered[:, 62, 1]
        assert abs(float(record.static[66, 1] - record.static[62, 1])) < 0.02
        assert 0.08 < gap.max() < 0.3
        assert np.abs(record.pose[:, :3]).max() < 0.1
