"""The front door: what is listed, what is imported, and what an error looks like to the user."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from experiments import cli
from experiments.__main__ import main
from experiments.command_table import COMMANDS, find_command
from experiments.commands import doctor as doctor_command
from lightning_modules.errors import ConfigError, PhotoError

HEAVY = ("torch", "mediapipe", "lightning", "cv2", "av", "scipy", "rich")
ARGUMENTS = {
    "weights list": ["weights", "list"],
    "weights verify": ["weights", "verify"],
    "prepare photos": ["prepare", "photos"],
}
PLAIN = [[entry.name] for entry in COMMANDS if entry.module != "experiments.training_cli"] + list(ARGUMENTS.values())


def python(code: str, *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    repository = Path(__file__).resolve().parents[2]
    setting = f"import sys; sys.path.insert(0, {str(repository)!r})\n"
    return subprocess.run([sys.executable, "-c", setting + code], capture_output=True, text=True, check=False, cwd=cwd)


def one_error_line(captured) -> str:
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("inkspeak: error: ")
    return lines[0].removeprefix("inkspeak: error: ")


def broken(error: BaseException):
    def doctor() -> int:
        """Raise.

        Example:
            inkspeak doctor
        """
        raise error

    return doctor


def test_help_lists_every_command_once_with_its_line(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for entry in COMMANDS:
        assert sum(line.split()[:1] == [entry.name] for line in text.splitlines()) == 1
        assert entry.summary in text
        assert entry.group in text
    assert "example" in text


@pytest.mark.parametrize("words", [[], ["-h"], ["help"]])
def test_other_ways_to_the_same_help(words, capsys):
    assert main(words) == 0
    assert capsys.readouterr().out.strip() == cli.overview()


def test_every_row_of_the_table_leads_somewhere():
    import importlib

    for entry in COMMANDS:
        if entry.module == "experiments.training_cli":
            continue
        module = importlib.import_module(entry.module)
        assert callable(getattr(module, entry.name, None)) or module.SUBCOMMANDS
    assert find_command("nothing") is None


@pytest.mark.parametrize("words", PLAIN, ids=" ".join)
def test_help_of_every_command_has_an_example_that_calls_it(words, capsys):
    assert main([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: inkspeak " + words[0])
    block = text.partition("\nexample:\n")[2]
    assert f"  inkspeak {' '.join(words)}" in block


@pytest.mark.parametrize("words", [["--help"], ["animate", "--help"], ["weights", "list"], ["prepare"], ["--version"]])
def test_nothing_heavy_is_imported_for_a_light_command(words):
    run = f"import json; from experiments.__main__ import main; main({words!r})\n"
    done = python(run + "print(json.dumps(list(sys.modules)))")
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & set(HEAVY)


def test_the_check_for_heavy_imports_can_fail():
    done = python("import json, scipy; print(json.dumps(list(sys.modules)))")
    assert set(json.loads(done.stdout)) & set(HEAVY) == {"scipy"}


def test_a_missing_photo_is_refused_before_anything_heavy_is_imported(tmp_path):
    code = "from experiments.__main__ import main; code = main(['animate', 'a.jpg', 'b.wav'])\n"
    done = python(code + "print(code, 'torch' in sys.modules)", cwd=tmp_path)
    assert done.stdout.split() == ["2", "False"]
    assert done.stderr == "inkspeak: error: a.jpg: there is no such file or folder; check the path\n"
    assert list(tmp_path.iterdir()) == []


def test_a_photo_without_a_face_is_refused_before_torch_is_imported(tmp_path):
    from PIL import Image

    Image.new("RGB", (320, 240), (200, 180, 160)).save(tmp_path / "blank.png")
    with wave.open(str(tmp_path / "hello.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(b"\x10\x20" * 16000)
    code = (
        "from experiments.__main__ import main; "  # quiet: a busy machine would show progress after two seconds
        "code = main(['animate', 'blank.png', 'hello.wav', '-o', 'o/x.mp4', '--quiet'])\n"
    )
    done = python(code + "print(code, 'torch' in sys.modules)", cwd=tmp_path)
    assert done.stdout.split() == ["2", "False"]
    assert done.stderr.startswith("inkspeak: error: blank.png: no face found in 320×240 pixels")
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blank.png", "hello.wav"]


def test_run_as_a_module(tmp_path):
    repository = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "experiments", "animte"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=repository)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "inkspeak: error: there is no command 'animte'; did you mean 'inkspeak animate'?\n"


def test_version(capsys, monkeypatch):
    monkeypatch.setattr(cli, "version", lambda name: "1.2.3" if name == "inkspeak" else "")
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "inkspeak 1.2.3\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fti"], "there is no command 'fti'; did you mean 'inkspeak fit'?"),
        (["qqq"], "there is no command 'qqq'; see inkspeak --help"),
        (["weights", "lst"], "there is no 'weights' command 'lst'; did you mean 'inkspeak weights list'?"),
        (["doctor", "--jsn"], "there is no option --jsn; did you mean --json?"),
        (["doctor", "--js"], "there is no option --js; did you mean --json?"),
        (["animate", "--fps", "fast", "a", "b"], "--fps is 'fast'; give a number"),
        (["animate", "--look", "oil", "a", "b"], "--look is 'oil'; give 'pencil', 'ink' or 'cartoon'"),
        (["animate", "--face", "left", "a", "b"], "--face is 'left'; give 'largest' or a whole number"),
        (["animate", "--output"], "-o/--output: expected one argument; see inkspeak animate --help"),
        (
            ["prepare", "photos"],
            "the following arguments are required: source, destination; see inkspeak prepare photos",
        ),
        (
            ["benchmark", "--only", "moon"],
            "there is no benchmark 'moon'; choose from portrait, starter_faces, frames, first_frame",
        ),
    ],
)
def test_wrong_words_get_one_line_and_exit_code_2(words, told, capsys):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert one_error_line(captured).startswith(told)
    assert captured.out == ""


def test_an_input_error_is_one_line_with_its_exit_code(capsys, monkeypatch):
    monkeypatch.setattr(doctor_command, "doctor", broken(PhotoError("not a photo", "give one", Path("a b/ü.jpg"))))
    assert main(["doctor"]) == 2
    assert one_error_line(capsys.readouterr()) == "a b/ü.jpg: not a photo; give one"


@pytest.mark.parametrize("words", [["--debug", "doctor"], ["doctor", "--debug"]])
def test_debug_shows_the_traceback_before_the_line(words, capsys, monkeypatch):
    monkeypatch.setattr(doctor_command, "doctor", broken(ConfigError("wrong", "mend it")))
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback (most recent call last)")
    assert "test_command_line.py" in error
    assert error.splitlines()[-1] == "inkspeak: error: wrong; mend it"


def test_a_bug_is_one_line_that_says_how_to_see_more(capsys, monkeypatch):
    monkeypatch.setattr(doctor_command, "doctor", broken(KeyError("landmarks\nof nobody")))
    assert main(["doctor"]) == 1
    line = one_error_line(capsys.readouterr())
    assert line.startswith("unexpected KeyError: ")
    assert line.endswith("; add --debug to see where")


def test_interruption_is_one_line_and_130(capsys, monkeypatch):
    monkeypatch.setattr(doctor_command, "doctor", broken(KeyboardInterrupt()))
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "inkspeak: interrupted\n"


def test_a_reader_that_goes_away_is_no_error():
    repository = Path(__file__).resolve().parents[2]
    command = f"{sys.executable} -m experiments weights list --json | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=repository)
    assert done.stderr == ""
    assert done.stdout.split() == ["[", "0"]


def test_debug_after_the_separator_is_a_file_name(capsys):
    assert main(["animate", "--", "--debug", "b.wav"]) == 2
    assert one_error_line(capsys.readouterr()).startswith("--debug: there is no such file or folder")
