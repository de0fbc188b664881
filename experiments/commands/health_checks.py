"""The checks of ``inkspeak doctor``. Each tries one thing and returns what it found; none changes anything."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.benchmarks.environment import installed, memory, processor, usable_cores
from experiments.folders import cache_folder


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: what was looked at.
        state: ``"ok"``; ``"warn"`` when an animation is not affected; ``"fail"`` when none can be made.
        found: what was found.
        remedy: what to do; ``None`` when nothing needs doing.
    """

    subject: str
    state: Literal["ok", "warn", "fail"]
    found: str
    remedy: str | None = None


Check = Callable[[], Iterator[Finding]]
_REINSTALL = "set up again with: make setup"


def examine(check: Check) -> Iterator[Finding]:
    """Run one check; whatever it runs into becomes a finding too."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - a doctor does not faint
        subject = check.__name__.removeprefix("check_").replace("_", " ")
        yield Finding(subject, "fail", f"{type(error).__name__}: {' '.join(str(error).split())}", _REINSTALL)


def check_python() -> Iterator[Finding]:
    """The interpreter's version."""
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 13):
        yield Finding("python", "ok", found)
    else:
        yield Finding("python", "fail", found, "use Python 3.11 or 3.12")


def check_machine() -> Iterator[Finding]:
    """Processor, cores and memory."""
    size = memory()
    room = "" if size is None else f", {size / 2**30:.0f} GiB memory"
    found = f"{processor()}, {usable_cores()} cores{room}"
    if size is not None and size < 2 * 2**30:
        yield Finding("machine", "warn", found, "less than 2 GiB: keep to --size 256 and a small --batch")
    else:
        yield Finding("machine", "ok", found)


def check_torch() -> Iterator[Finding]:
    """The build of torch, and whether it computes."""
    import torch

    total = float((torch.ones(8, 8) @ torch.ones(8, 8)).sum())
    device = f"GPU {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "no GPU, computes on the processor"
    state: Literal["ok", "fail"] = "ok" if total == 512.0 else "fail"
    yield Finding("torch", state, f"{torch.__version__}, {device}", None if state == "ok" else _REINSTALL)


def check_training() -> Iterator[Finding]:
    """Packages that break lightning by being installed, and lightning itself."""
    if importlib.util.find_spec("torchvision") is not None:
        try:
            importlib.import_module("torchvision")
        except Exception as error:  # noqa: BLE001 - it fails in many ways
            why = f"installed ({installed('torchvision')}) but broken: {' '.join(str(error).split())}"
            yield Finding("torchvision", "warn", f"{why}; lightning and torchmetrics cannot be imported", _UNINSTALL)
        else:
            yield Finding(
                "torchvision", "warn", "installed, and fits this torch for now; inkspeak needs none", _UNINSTALL
            )
    if importlib.util.find_spec("torch_fidelity") is not None:
        remedy = "run: pip uninstall torch-fidelity"
        yield Finding("torch-fidelity", "warn", "installed; without torchvision it breaks torchmetrics", remedy)
    try:
        lightning = importlib.import_module("lightning.pytorch")
    except Exception as error:  # noqa: BLE001 - whatever it is, training needs it
        found = (
            f"cannot be imported ({type(error).__name__}: {' '.join(str(error).split())}); only training is affected"
        )
        yield Finding("lightning", "warn", found, _REINSTALL)
    else:
        yield Finding("lightning", "ok", lightning.__version__)


_UNINSTALL = "run: pip uninstall torchvision"


def check_faces() -> Iterator[Finding]:
    """Find a face and cut out the person in a real photo, with the default backends."""
    from skimage.data import astronaut

    from lightning_modules.faces.face_analyzers import make_face_analyzer
    from lightning_modules.faces.matter import make_matter

    photo = astronaut()
    began = time.perf_counter()
    faces = make_face_analyzer("mediapipe").find_faces(photo)
    spent = time.perf_counter() - began
    right = len(faces) == 1 and 150 < faces[0].box.center[0] < 290 and 40 < faces[0].box.center[1] < 200
    if right:
        yield Finding("face detection", "ok", f"mediapipe {installed('mediapipe')} found the face in {spent:.1f} s")
    else:
        found = f"mediapipe {installed('mediapipe')} found {len(faces)} faces, not the one that is there"
        yield Finding("face detection", "fail", found, _REINSTALL)
    matte = make_matter("selfie").matte(photo)
    person, corner = float(matte[300:400, 180:260].mean()), float(matte[:60, :60].mean())
    if person > 0.8 and corner < 0.2:
        yield Finding("matting", "ok", "the person stands out from the background")
    else:
        yield Finding("matting", "fail", f"person {person:.2f}, background {corner:.2f}; 1 and 0 are right", _REINSTALL)


def check_starter_faces() -> Iterator[Finding]:
    """Find the same face with the analyzer that needs no other package."""
    from skimage.data import astronaut

    from lightning_modules.errors import InkspeakError
    from lightning_modules.faces.face_analyzers import make_face_analyzer

    try:
        faces = make_face_analyzer("starter").find_faces(astronaut())
    except InkspeakError as error:
        yield Finding("starter faces", "warn", error.found, f"only for --landmarks starter: {error.remedy}")
        return
    if len(faces) == 1 and 150 < faces[0].box.center[0] < 290 and 40 < faces[0].box.center[1] < 200:
        yield Finding("starter faces", "ok", "--landmarks starter finds the face too")
    else:
        found = f"--landmarks starter finds {len(faces)} faces, not the one that is there"
        yield Finding("starter faces", "warn", found, _REINSTALL)


def check_face_alignment() -> Iterator[Finding]:
    """The optional detector of the paper, and its downloaded weights."""
    from lightning_modules.weights.registry import hub_folder, load_manifest, locate

    files = [weight for weight in load_manifest() if weight.package == "face_alignment"]
    missing = [weight.file for weight in files if locate(weight) is None]
    if importlib.util.find_spec("face_alignment") is None:
        remedy = "only for --landmarks face-alignment: pip install --no-deps face-alignment==1.5.0"
        yield Finding("face-alignment", "warn", "not installed", remedy)
    elif missing:
        remedy = f"only for --landmarks face-alignment: it downloads them, or put them into {hub_folder()}"
        yield Finding("face-alignment", "warn", f"weights not here: {', '.join(missing)}", remedy)
    else:
        yield Finding("face-alignment", "ok", f"{installed('face-alignment')} with its weights")


def check_video() -> Iterator[Finding]:
    """Encode three frames and a little sound as H.264 and AAC, and decode them again."""
    with tempfile.TemporaryDirectory() as folder:
        frames = _round_trip(Path(folder) / "check.mp4")
    if frames == 3:
        yield Finding("video", "ok", f"PyAV {installed('av')} writes and reads H.264 with AAC")
    else:
        yield Finding("video", "fail", f"3 frames were written and {frames} read back", _REINSTALL)


def _round_trip(path: Path) -> int:
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "23"})
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        sound = container.add_stream("aac", rate=16000, layout="mono")
        for level in (0, 128, 255):
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), level, dtype=np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1920), dtype=np.float32), format="fltp", layout="mono")
        silence.sample_rate = 16000
        container.mux(sound.encode(silence))
        for stream in (video, sound):
            container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def check_sound() -> Iterator[Finding]:
    """Formats that soundfile reads; PyAV reads the others."""
    import soundfile

    wanted = {"WAV", "FLAC", "OGG", "MP3"}
    missing = sorted(wanted - set(soundfile.available_formats()))
    if missing:
        found = f"soundfile {soundfile.__version__} does not read {', '.join(missing)}"
        yield Finding("sound", "warn", found, "PyAV reads these instead; a newer libsndfile would too")
    else:
        yield Finding("sound", "ok", f"soundfile {soundfile.__version__} reads {', '.join(sorted(wanted))}")


def check_speakers() -> Iterator[Finding]:
    """The weights that tell speakers apart, and the voices of synthetic speech: for training stage 1 only."""
    from datamodules.synthetic.speech.voices import make_voice
    from lightning_modules.audio.speaker_embedding import load_speaker_encoder
    from lightning_modules.errors import InkspeakError

    uses: dict[str, tuple[str, Callable[[], object]]] = {
        "speaker embedding": ("only for the speaker-aware branch", load_speaker_encoder),
        "flite": ("only for prepare speech-synthetic", lambda: make_voice("flite:slt")),
        "espeak-ng": ("only for prepare speech-synthetic", lambda: make_voice("espeak:en-us+f1")),
    }
    for subject, (use, attempt) in uses.items():
        try:
            attempt()
        except InkspeakError as error:
            yield Finding(subject, "warn", error.found, f"{use}: {error.remedy}")
        else:
            yield Finding(subject, "ok", "works")


def check_disk() -> Iterator[Finding]:
    """Room where results go, and the folder for prepared portraits."""
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    found = f"{free:.1f} GiB free in this folder"
    yield Finding("disk", "ok", found) if free > 1 else Finding("disk", "warn", found, "make room for results")
    cache = cache_folder()
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    held = sum(file.stat().st_size for file in cache.glob("*") if file.is_file()) if cache.is_dir() else 0
    if os.access(existing, os.W_OK):
        yield Finding("cache", "ok", f"{cache}, {held / 2**20:.1f} MiB in use")
    else:
        yield Finding("cache", "warn", f"{cache} cannot be written", "set INKSPEAK_CACHE, or use --no-cache")


def check_experiment_log() -> Iterator[Finding]:
    """Whether training runs would be sent to Weights & Biases."""
    mode = os.environ.get("WANDB_MODE")
    name = installed("wandb")
    if name is None:
        yield Finding("wandb", "warn", "not installed; runs are logged as CSV only", "pip install wandb")
    elif mode in {"offline", "disabled", "dryrun"}:
        yield Finding("wandb", "ok", f"{name}, WANDB_MODE={mode}: nothing leaves this machine")
    else:
        yield Finding("wandb", "ok", f"{name}, sends runs only if a config asks for it; WANDB_MODE=offline forbids it")


def check_versions() -> Iterator[Finding]:
    """Installed versions against the tested ones, where ``constraints.txt`` is at hand."""
    path = Path(__file__).resolve().parents[2] / "constraints.txt"
    if not path.is_file():
        return
    pins = dict(
        line.split("#")[0].strip().split("==", 1)
        for line in path.read_text(encoding="utf-8").splitlines()
        if "==" in line
    )
    here = {name: found.split("+")[0] for name in pins if (found := installed(name)) is not None}
    others = [
        f"{name} {here[name]} (tested: {pin})" for name, pin in pins.items() if name in here and here[name] != pin
    ]
    if others:
        shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
        yield Finding("versions", "warn", f"not as tested: {shown}", "if something fails: make setup")
    else:
        yield Finding("versions", "ok", f"{len(here)} packages exactly as tested")


def check_weights() -> Iterator[Finding]:
    """The weights that a plain animation reads, verified by sha256."""
    from lightning_modules.weights.registry import load_manifest, state_of

    states = {weight.name: state_of(weight, verify=True) for weight in load_manifest() if weight.default}
    wrong = [f"{name} {state}" for name, state in states.items() if state != "intact"]
    if wrong:
        yield Finding("weights", "fail", ", ".join(wrong), _REINSTALL)
    else:
        yield Finding("weights", "ok", f"{len(states)} files used by default are intact; all: inkspeak weights list")


CHECKS: tuple[Check, ...] = (
    check_python,
    check_machine,
    check_torch,
    check_training,
    check_faces,
    check_starter_faces,
    check_face_alignment,
    check_video,
    check_sound,
    check_speakers,
    check_disk,
    check_experiment_log,
    check_versions,
    check_weights,
)
