"""The doctor: a healthy machine passes, and each trouble is told with what to do."""

from __future__ import annotations

import json
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.commands import doctor as doctor_command
from experiments.commands import health_checks
from experiments.commands.doctor import line_of
from experiments.commands.health_checks import CHECKS, Finding, examine
from lightning_modules.errors import BackendError

# Importing lightning and mediapipe sets off deprecation warnings of others.
pytestmark = pytest.mark.filterwarnings("ignore")


def states(check) -> list[tuple[str, str]]:
    return [(finding.subject, finding.state) for finding in examine(check)]


def only(check) -> Finding:
    (finding,) = examine(check)
    return finding


def test_here_animations_can_be_made(capsys):
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ready"] is True
    found = {finding["subject"]: finding for finding in report["findings"]}
    for subject in ("python", "torch", "face detection", "matting", "video", "weights"):
        assert found[subject]["state"] == "ok", found[subject]
    for finding in report["findings"]:
        assert set(finding) == {"subject", "state", "found", "remedy"}
        assert (finding["state"] == "ok") == (finding["remedy"] is None)


def test_lines_for_people_and_exit_code(capsys, monkeypatch):
    def sick():
        yield Finding("heart", "ok", "beats")
        yield Finding("nose", "warn", "runs", "blow it")
        yield Finding("leg", "fail", "broken", "rest")

    monkeypatch.setattr(doctor_command, "CHECKS", (sick,))
    assert main(["doctor"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ok", "heart", "beats"]
    assert lines[1].split() == ["warn", "nose", "runs"]
    assert lines[2].split() == ["→", "blow", "it"]
    assert lines[-1] == "animations cannot be made here: see the lines with fail"
    monkeypatch.setattr(doctor_command, "CHECKS", (lambda: iter([Finding("nose", "warn", "runs", "blow it")]),))
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "animations can be made here"
    assert line_of(Finding("a", "ok", "b")).count("\n") == 0


def test_a_check_that_breaks_becomes_a_finding():
    def check_the_moon():
        raise OSError("gone\naway")
        yield

    assert only(check_the_moon) == Finding("the moon", "fail", "OSError: gone away", "set up again with: make setup")


def test_every_check_is_run_and_none_is_forgotten():
    named = {getattr(health_checks, name) for name in dir(health_checks) if name.startswith("check_")}
    assert named == set(CHECKS)


def test_another_python_is_a_failure(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1, "final", 0))
    finding = only(health_checks.check_python)
    assert (finding.state, finding.found, finding.remedy) == ("fail", "3.9.1", "use Python 3.11 or 3.12")


def test_little_memory_is_a_warning(monkeypatch):
    monkeypatch.setattr(health_checks, "memory", lambda: 2**30)
    assert only(health_checks.check_machine).state == "warn"
    monkeypatch.setattr(health_checks, "memory", lambda: None)
    assert only(health_checks.check_machine).state == "ok"


def test_a_torchvision_that_does_not_fit_is_a_warning_with_the_way_out(monkeypatch, tmp_path):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    first = next(iter(examine(health_checks.check_training)))
    assert (first.subject, first.state, first.remedy) == ("torchvision", "warn", "run: pip uninstall torchvision")
    assert "operator torchvision::nms does not exist; lightning and torchmetrics cannot be imported" in first.found


def test_torch_fidelity_and_a_broken_lightning_are_warnings(monkeypatch):
    find = health_checks.importlib.util.find_spec
    spec = ModuleSpec("torch_fidelity", None)
    monkeypatch.setattr(health_checks.importlib.util, "find_spec", lambda n: spec if n == "torch_fidelity" else find(n))
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    monkeypatch.setitem(sys.modules, "lightning", None)
    found = states(health_checks.check_training)
    assert found == [("torch-fidelity", "warn"), ("lightning", "warn")]


def test_a_missing_face_is_a_failure(monkeypatch):
    from lightning_modules.faces import face_analyzers, matter

    class Blind:
        name = "blind"

        def find_faces(self, rgb):
            return []

        def matte(self, rgb):
            return rgb[..., 0] * 0.0

    monkeypatch.setattr(face_analyzers, "make_face_analyzer", lambda _: Blind())
    monkeypatch.setattr(matter, "make_matter", lambda _: Blind())
    assert states(health_checks.check_faces) == [("face detection", "fail"), ("matting", "fail")]


def test_what_only_training_needs_is_no_illness(monkeypatch: pytest.MonkeyPatch) -> None:
    from datamodules.synthetic.speech import voices
    from lightning_modules.audio import speaker_embedding

    monkeypatch.setattr(voices, "make_voice", lambda _: None)
    monkeypatch.setattr(speaker_embedding, "load_speaker_encoder", lambda: None)
    names = ["speaker embedding", "flite", "espeak-ng"]
    assert states(health_checks.check_speakers) == [(name, "ok") for name in names]

    def refuse(name: str = "") -> None:
        raise BackendError(f"no voice {name}", "apt-get install it")

    monkeypatch.setattr(voices, "make_voice", refuse)
    assert states(health_checks.check_speakers)[1:] == [("flite", "warn"), ("espeak-ng", "warn")]
    flite = list(health_checks.check_speakers())[1]
    assert flite.found == "no voice flite:slt"
    assert flite.remedy == "only for prepare speech-synthetic: apt-get install it"


def test_face_alignment_without_weights_is_a_warning_that_names_the_place(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    finding = only(health_checks.check_face_alignment)
    assert finding.state == "warn"
    assert str(tmp_path / "hub" / "checkpoints") in finding.remedy
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    for name in ("s3fd-619a316812.pth", "3DFAN4-7835d9f11d.pth.tar", "depth-2a464da4ea.pth.tar"):
        (folder / name).touch()
    assert only(health_checks.check_face_alignment).state == "ok"


def test_lost_frames_are_a_failure(monkeypatch):
    monkeypatch.setattr(health_checks, "_round_trip", lambda _: 2)
    assert only(health_checks.check_video).found == "3 frames were written and 2 read back"


def test_a_sound_library_without_mp3_is_a_warning(monkeypatch):
    import soundfile

    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": "", "FLAC": "", "OGG": ""})
    finding = only(health_checks.check_sound)
    assert (finding.state, finding.found) == ("warn", f"soundfile {soundfile.__version__} does not read MP3")


def test_disk_and_cache(monkeypatch, tmp_path):
    cache = tmp_path / "cache"
    monkeypatch.setenv("INKSPEAK_CACHE", str(cache))
    cache.mkdir()
    (cache / "a.safetensors").write_bytes(bytes(2**20))
    disk, kept = examine(health_checks.check_disk)
    assert disk.state == "ok"
    assert kept.found == f"{cache}, 1.0 MiB in use"
    usage = health_checks.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(health_checks.shutil, "disk_usage", lambda _: usage._replace(free=10))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert states(health_checks.check_disk) == [("disk", "warn"), ("cache", "warn")]


@pytest.mark.parametrize(("mode", "told"), [("offline", "nothing leaves"), (None, "only if a config asks for it")])
def test_where_runs_are_logged(monkeypatch, mode, told):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    assert told in only(health_checks.check_experiment_log).found
    monkeypatch.setattr(health_checks, "installed", lambda _: None)
    assert only(health_checks.check_experiment_log).state == "warn"


def test_versions_are_compared_with_the_tested_ones(monkeypatch):
    real = health_checks.installed
    monkeypatch.setattr(health_checks, "installed", lambda name: "0.0.1" if name == "numpy" else real(name))
    finding = only(health_checks.check_versions)
    assert finding.state == "warn"
    assert "numpy 0.0.1 (tested: " in finding.found
    assert "torch " not in finding.found  # a local version such as +cpu is the tested one


def test_changed_weights_are_a_failure(monkeypatch):
    from lightning_modules.weights import registry

    monkeypatch.setattr(registry, "sha256_of", lambda _: "0" * 64)
    finding = only(health_checks.check_weights)
    assert finding.state == "fail"
    assert "face-mesh changed" in finding.found


def test_the_real_round_trip_of_three_frames(tmp_path: Path):
    assert health_checks._round_trip(tmp_path / "a.mp4") == 3


def test_the_starter_without_its_network_is_a_warning(monkeypatch):
    from lightning_modules.faces import face_analyzers

    def refuse(name):
        raise BackendError(f"no network for {name}", "install it")

    monkeypatch.setattr(face_analyzers, "make_face_analyzer", refuse)
    finding = only(health_checks.check_starter_faces)
    assert (finding.state, finding.found) == ("warn", "no network for starter")
    assert finding.remedy == "only for --landmarks starter: install it"


def test_the_starter_must_find_the_face_where_it_is(monkeypatch):
    from lightning_modules.audio.face_axes import average_face
    from lightning_modules.faces import face_analyzers
    from lightning_modules.faces.face import make_face

    class Sees:
        def __init__(self, x, y):
            self.face = make_face(average_face() * 60 + [x, y, 0], 1.0)

        def find_faces(self, rgb):
            return [self.face]

    for place, state in (((220, 110), "ok"), ((60, 300), "warn")):
        monkeypatch.setattr(face_analyzers, "make_face_analyzer", lambda _, place=place: Sees(*place))
        assert only(health_checks.check_starter_faces).state == state
