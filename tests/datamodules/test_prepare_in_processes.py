"""Preparing in spawned worker processes: equal results for any number, crashes, Ctrl-C and the power plug."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from datamodules.prepare.manifest import read_manifest, verify_manifest
from datamodules.prepare.photos import prepare_photos
from datamodules.prepare.record import read_record
from datamodules.prepare.record_folder import record_folders

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
sys.path[:0] = [{repository!r}, {here!r}]
from datamodules.prepare.photos import prepare_photos
from made_up_face_tools import make_made_up_tools
if __name__ == "__main__":
    report = prepare_photos({source!r}, {destination!r}, size=64, workers=2, contact_sheets=False,
                            make_tools=make_made_up_tools,
                            progress=lambda done, total, note: print(done, note, flush=True))
    print(report.summary())
    sys.exit(130 if report.interrupted else 0)
"""


@pytest.fixture
def many_photos(tmp_path, small_astronaut):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(24):
        Image.fromarray(small_astronaut).rotate(number).save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start a preparation with two workers as a program of its own, in a process group of its own."""

    def run(source, destination, seconds_a_photo):
        script = tmp_path / "prepare.py"
        values = {"repository": str(REPOSITORY), "here": str(Path(__file__).parent)}
        script.write_text(SCRIPT.format(source=str(source), destination=str(destination), **values), encoding="utf-8")
        return subprocess.Popen(
            [sys.executable, script],
            env={**os.environ, "SECONDS_A_PHOTO": str(seconds_a_photo)},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def wait_for_records(destination, count, process):
    until = time.monotonic() + 60
    while len(record_folders(destination / "records")) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def without_reports(files):
    return {name: content for name, content in files.items() if not name.startswith(("report.", ".lock"))}


def test_one_and_two_processes_give_the_same_bytes_as_none(photo_folder, tmp_path, tools, tree):
    for workers in (0, 1, 2):
        report = prepare_photos(photo_folder, tmp_path / f"{workers}", size=64, workers=workers, make_tools=tools)
        assert report.accepted == 7
    expected = without_reports(tree(tmp_path / "0"))
    assert "manifest.jsonl" in expected
    assert "sheets/page_001.png" in expected
    assert without_reports(tree(tmp_path / "1")) == expected
    assert without_reports(tree(tmp_path / "2")) == expected


def test_a_photo_that_kills_its_process_is_rejected_and_the_rest_goes_on(
    photo_folder, tmp_path, tools, small_astronaut
):
    deadly = small_astronaut.copy()
    deadly[0, 0] = (255, 0, 0)
    Image.fromarray(deadly).save(photo_folder / "deadly.png")
    report = prepare_photos(photo_folder, tmp_path / "set", size=64, workers=1, make_tools=tools)
    assert report.accepted == 7
    assert [(entry.source, entry.text) for entry in report.rejected] == [
        ("deadly.png", "the worker process was ended by SIGKILL on it")
    ]
    assert verify_manifest(tmp_path / "set").ok


def test_a_killed_run_leaves_no_half_record_and_goes_on_to_the_same_result(many_photos, tmp_path, tools, tree, start):
    destination = tmp_path / "killed"
    for killed_at in (3, 11):
        process = start(many_photos, destination, 0.05)
        wait_for_records(destination, killed_at, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        folders = record_folders(destination / "records")
        assert killed_at <= len(folders) < 24
        for folder in folders:
            read_record(folder)  # checks every file against its hash
        assert not (destination / "manifest.jsonl").exists()
    before = len(folders)
    report = prepare_photos(many_photos, destination, size=64, workers=0, make_tools=tools, contact_sheets=False)
    assert (report.accepted, report.kept) == (24, before)
    prepare_photos(many_photos, tmp_path / "whole", size=64, workers=0, make_tools=tools, contact_sheets=False)
    assert without_reports(tree(destination)) == without_reports(tree(tmp_path / "whole"))
    assert len(read_manifest(destination)) == 24


def test_workers_of_a_killed_program_end_by_themselves(many_photos, tmp_path, start):
    destination = tmp_path / "orphans"
    process = start(many_photos, destination, 0.05)
    wait_for_records(destination, 2, process)
    process.kill()
    process.wait()
    until = time.monotonic() + 20
    while True:  # the group exists as long as one of its processes does
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        assert time.monotonic() < until
        time.sleep(0.05)
    process.communicate()
    assert len(record_folders(destination / "records")) < 24


def test_ctrl_c_on_the_terminal_ends_quietly_with_a_valid_set(many_photos, tmp_path, start):
    destination = tmp_path / "interrupted"
    process = start(many_photos, destination, 0.1)
    wait_for_records(destination, 3, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; run it again to go on" in output
    assert "Traceback" not in errors
    assert verify_manifest(destination).ok
    assert 3 <= verify_manifest(destination).rows < 24
    assert not [path for path in (destination / "records").iterdir() if path.name.startswith(".")]
    assert (destination / "report.json").exists()
