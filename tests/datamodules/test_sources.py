from __future__ import annotations

import pytest

from datamodules.prepare.sources import TermsFinder, find_files, parse_source_note, record_id
from lightning_modules.errors import PhotoError


def test_photos_are_found_below_the_folder_in_a_fixed_order(photo_folder):
    found = find_files(photo_folder)
    assert found.names == (
        "loose.PNG",
        "street/deep/grey.jpg",
        "street/größe.webp",
        "street/two.png",
        "studio/still 0.png",
        "studio/still 1.png",
        "studio/still 2.png",
    )
    assert found.passed_over == ("list.csv", "street/SOURCE.md", "studio/SOURCE.md")
    assert found.passed_over_note() == "3 passed over: 1 .csv, 2 .md"


def test_one_photo_is_a_source_too(photo_folder):
    found = find_files(photo_folder / "studio" / "still 1.png")
    assert (found.root, found.names) == (photo_folder / "studio", ("still 1.png",))


@pytest.mark.parametrize("make", [False, True])
def test_a_source_without_photos_is_refused(tmp_path, make):
    if make:
        (tmp_path / "empty").mkdir()
    with pytest.raises(PhotoError, match=r"empty: .*; name a folder"):
        find_files(tmp_path / "empty")


def test_a_link_to_a_file_counts_and_a_loop_of_folders_does_not(tmp_path, photo_folder):
    links = tmp_path / "links"
    links.mkdir()
    (links / "one.png").symlink_to(photo_folder / "studio" / "still 0.png")
    (links / "loop").symlink_to(links, target_is_directory=True)
    assert find_files(links).names == ("one.png",)


def test_record_ids_are_safe_readable_and_different():
    names = [
        "a/b.jpg",
        "a/b.png",
        "a-b.jpg",
        "a b.jpg",
        "größe.jpg",
        "../x.jpg",
        "x" * 300 + ".jpg",
        ".jpg",
        "日本.png",
    ]
    ids = [record_id(name) for name in names]
    assert len(set(ids)) == len(ids)
    assert ids[0] == "a-b-4a516362"  # the first 8 digits of sha256("a/b.jpg")
    assert all(len(made) <= 89 and not made.startswith((".", "-")) for made in ids)
    assert all(character.isascii() and (character.isalnum() or character in "-_") for made in ids for character in made)


def test_the_nearest_note_gives_the_terms(photo_folder):
    (photo_folder / "street" / "deep" / "SOURCE.md").write_text("# No terms here\nRepo: somewhere\n", encoding="utf-8")
    finder = TermsFinder(photo_folder)
    assert finder.terms_of("studio/still 0.png").licence == "CC0 1.0"
    assert finder.terms_of("studio/still 0.png").attribution == "Studio. Origin: a camera. Taken by nobody"
    assert finder.terms_of("street/deep/grey.jpg").licence == "CC BY 4.0"
    assert finder.terms_of("loose.PNG").licence == "unknown"


def test_notes_above_the_prepared_folder_do_not_count(photo_folder):
    assert TermsFinder(photo_folder / "street" / "deep").terms_of("grey.jpg").licence == "unknown"


def test_a_given_licence_overrules_the_notes(photo_folder):
    assert TermsFinder(photo_folder, " my own  photos ").terms_of("street/two.png").licence == "my own photos"


@pytest.mark.parametrize(
    ("note", "licence", "attribution"),
    [
        ("Licence: MIT (c) 2024 A. Person.\nMany files.", "MIT (c) 2024 A. Person", ""),
        ("**License:** MIT", "MIT", ""),
        (
            "# T\nRepo: r. Licence: CC BY 4.0 by G (x.html); code MIT. And more.",
            "CC BY 4.0 by G (x.html); code MIT",
            "T. Repo: r. And more",
        ),
        (
            "# T\nLicence: CC0. Cite: one (first,\nsecond);\nthird.\nFiles: many",
            "CC0",
            "T. Cite: one (first, second); third",
        ),
        ("Rights: public domain (see there). Text.", "public domain (see there)", "Text"),
    ],
)
def test_notes_as_people_write_them(note, licence, attribution):
    terms = parse_source_note(note)
    assert terms is not None
    assert (terms.licence, terms.attribution) == (licence, attribution)


@pytest.mark.parametrize("note", ["", "# Title only", "Licence:", "The licence is unclear: ask."])
def test_a_note_without_terms_gives_none(note):
    assert parse_source_note(note) is None
