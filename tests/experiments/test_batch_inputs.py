"""From words to pairs: files, folders, patterns, and names that never collide."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.commands.animate import find_pairs
from experiments.commands.batch import (
    CLIPS,
    PHOTOS,
    SPEECH,
    distinct_names,
    expand,
    pair_clips,
    pair_inputs,
    split_inputs,
)
from lightning_modules.errors import AudioError, ConfigError, PhotoError, VideoError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ["b.JPG", "a.png", "ü mit Leer.webp", ".hidden.png", "notes.txt", "read me.md", "v.wav", "w.mp4"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "deep.jpg").touch()
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def names(files: list[Path]) -> list[str]:
    return [file.name for file in files]


def test_a_folder_gives_its_media_sorted_and_tells_what_it_passed_over(folder):
    files, notes = expand(str(folder), PHOTOS)
    assert names(files) == ["a.png", "b.JPG", "ü mit Leer.webp"]
    assert notes == [f"{folder}: passed over notes.txt, read me.md, v.wav and 1 more, not a photo"]


def test_each_kind_takes_its_own(folder):
    assert names(expand(str(folder), SPEECH)[0]) == ["v.wav", "w.mp4"]
    assert names(expand(str(folder), CLIPS)[0]) == ["w.mp4"]


def test_a_folder_of_nothing_else_has_no_note(tmp_path):
    (tmp_path / "a.png").touch()
    assert expand(str(tmp_path), PHOTOS) == ([tmp_path / "a.png"], [])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", ["a.png"]),
        ("*", ["a.png", "b.JPG", "ü mit Leer.webp"]),
        ("?.*", ["a.png", "b.JPG"]),
        ("[ab].*", ["a.png", "b.JPG"]),
        ("*Leer*", ["ü mit Leer.webp"]),
        ("**/*.jpg", ["deep.jpg"]),
    ],
)
def test_patterns(folder, pattern, expected):
    assert names(expand(str(folder / pattern), PHOTOS)[0]) == expected


def test_a_named_file_is_taken_whatever_it_is_called(folder):
    for name in ["notes.txt", ".hidden.png"]:
        assert expand(str(folder / name), PHOTOS) == ([folder / name], [])


def test_a_file_with_pattern_characters_in_its_name_is_that_file(tmp_path):
    (tmp_path / "me[1].jpg").touch()
    (tmp_path / "me1.jpg").touch()
    assert names(expand(str(tmp_path / "me[1].jpg"), PHOTOS)[0]) == ["me[1].jpg"]


def test_home_is_understood(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert names(expand("~/*.png", PHOTOS)[0]) == ["a.png"]


@pytest.mark.parametrize(
    ("word", "kind", "error", "told"),
    [
        ("*.bmp", PHOTOS, PhotoError, "no photo is in what this pattern matches; name files ending in .jpg, .png or"),
        ("*.txt", SPEECH, AudioError, "no speech file is in what this pattern matches"),
        ("inner", CLIPS, VideoError, "no video clip is in this folder; name files ending in .mp4, .mov or similar"),
        ("zebra.jpg", PHOTOS, PhotoError, "there is no such file or folder; check the path"),
        ("note.txt", SPEECH, AudioError, "there is no such file or folder; did you mean "),
        ("no/such/folder/x.png", PHOTOS, PhotoError, "there is no such file or folder; check the path"),
    ],
)
def test_nothing_found_is_an_error_of_that_kind(folder, word, kind, error, told):
    with pytest.raises(error) as caught:
        expand(str(folder / word), kind)
    assert str(caught.value).startswith(f"{folder / word}: {told}")


@pytest.mark.parametrize(
    ("inputs", "photos", "speech"),
    [
        (["a.jpg", "b.wav"], ["a.jpg"], ["b.wav"]),
        (["b.wav", "a.jpg"], ["a.jpg"], ["b.wav"]),
        (["a.jpg", "b.jpg", "c.png", "x.mp3"], ["a.jpg", "b.jpg", "c.png"], ["x.mp3"]),
        (["a.jpg", "x.mp3", "y.mp3"], ["a.jpg"], ["x.mp3", "y.mp3"]),
        (["photos", "voices"], ["photos"], ["voices"]),
        (["photos/", "x.wav"], ["photos/"], ["x.wav"]),
        (["a.jpg", "voices/"], ["a.jpg"], ["voices/"]),
        (["people", "friends", "voices"], ["people", "friends"], ["voices"]),
        (["photo.bin", "voice.dat"], ["photo.bin"], ["voice.dat"]),
        (["a.jpg", "x.wav", "voices", "more"], ["a.jpg"], ["x.wav", "voices", "more"]),
        (["*.jpg", "clip.mp4"], ["*.jpg"], ["clip.mp4"]),
    ],
)
def test_words_are_told_apart(inputs, photos, speech):
    assert split_inputs(inputs) == (photos, speech)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ([], "a photo and a speech file are needed, nothing was given (no photo); for example: inkspeak animate"),
        (["a.jpg"], "a photo and a speech file are needed, a.jpg was given (no speech); for example"),
        (["a.wav"], "a photo and a speech file are needed, a.wav was given (no photo); for example"),
        (["a.mp4"], "a photo and a speech file are needed, a.mp4 was given (no photo); animate a clip with --video"),
        (["a.jpg", "b.png"], "a photo and a speech file are needed, a.jpg, b.png was given (no speech)"),
    ],
)
def test_a_missing_side_is_an_error(inputs, told):
    with pytest.raises(ConfigError) as caught:
        split_inputs(inputs)
    assert str(caught.value).startswith(told)


def test_every_photo_meets_every_speech_file():
    pairs = pair_inputs([Path("p/a.jpg"), Path("p/b c.jpg")], [Path("x.wav"), Path("ÿ.mp3")])
    assert [pair.name for pair in pairs] == ["a_x", "a_ÿ", "b c_x", "b c_ÿ"]
    assert (pairs[3].photo, pairs[3].speech) == (Path("p/b c.jpg"), Path("ÿ.mp3"))


def test_a_file_named_twice_counts_once(tmp_path):
    (tmp_path / "a.jpg").touch()
    twice = [tmp_path / "a.jpg", tmp_path / "." / "a.jpg", tmp_path / "inner" / ".." / "a.jpg"]
    assert [pair.name for pair in pair_inputs(twice, [Path("x.wav")])] == ["a_x"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a.jpg", "b.jpg"], ["a", "b"]),
        (["a.jpg", "a.png", "b.png"], ["a-jpg", "a-png", "b"]),
        (["one/a.jpg", "two/a.jpg"], ["a-jpg", "a-jpg-2"]),
        (["A.jpg", "a.png"], ["A-jpg", "a-png"]),
        (["A.jpg", "a.JPG"], ["A-jpg", "a-JPG-2"]),
        (["a.jpg", "a.png", "a-jpg.gif"], ["a-jpg", "a-png", "a-jpg-2"]),
        ([".jpg", "x.jpg"], [".jpg", "x"]),
    ],
)
def test_colliding_names_are_told_apart(files, expected):
    assert distinct_names([Path(file) for file in files]) == expected


def test_one_accent_written_in_two_ways_collides():
    composed, apart = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    first, second = distinct_names([Path(f"one/{composed}.jpg"), Path(f"two/{apart}.jpg")])
    assert unicodedata.normalize("NFC", first) != unicodedata.normalize("NFC", second)


def test_pairs_whose_joined_names_collide():
    pairs = pair_inputs([Path("a.jpg"), Path("a_b.jpg")], [Path("b_c.wav"), Path("c.wav")])
    assert [pair.name for pair in pairs] == ["a_b_c", "a_c", "a_b_b_c", "a_b_c-2"]


STEMS = st.text(st.sampled_from("aAbé_- "), min_size=1, max_size=4).filter(lambda stem: stem.strip(" ."))
ENDS = [".jpg", ".png"]
FILES = st.lists(
    st.builds(lambda *parts: Path("{}/{}{}".format(*parts)), st.sampled_from("pq"), STEMS, st.sampled_from(ENDS)),
    min_size=1,
    max_size=5,
)


@given(photos=FILES, speech=FILES)
def test_names_never_collide_on_any_file_system(photos, speech):
    pairs = pair_inputs(photos, speech)
    folded = [unicodedata.normalize("NFC", pair.name).casefold() for pair in pairs]
    assert len(set(folded)) == len(folded) == len(set(photos)) * len(set(speech))


def test_clips_are_paired_with_themselves():
    (pair,) = pair_clips([Path("x/clip.mov")])
    assert (pair.photo, pair.speech, pair.name) == (Path("x/clip.mov"), Path("x/clip.mov"), "clip")


def test_find_pairs_puts_it_together(folder):
    pairs, notes = find_pairs([str(folder / "*.png"), str(folder / "v.wav")], None)
    assert [(pair.photo.name, pair.speech.name, pair.name) for pair in pairs] == [("a.png", "v.wav", "a_v")]
    assert notes == []
    (clip,), _ = find_pairs([], str(folder))
    assert clip.photo == clip.speech == folder / "w.mp4"


def test_a_clip_beside_a_photo_is_refused(folder):
    with pytest.raises(
        ConfigError, match=r"'a\.jpg' was given beside --video; give either PHOTO SPEECH or --video CLIP"
    ):
        find_pairs(["a.jpg", "b.wav"], str(folder / "w.mp4"))


def test_what_the_system_refuses_is_an_error_too(tmp_path):
    with pytest.raises(PhotoError, match=r"it cannot be read \(File name too long\); check its name and permissions"):
        expand(str(tmp_path / ("x" * 300)), PHOTOS)
