"""Voices of flite, a small speech synthesiser that is run as a program of its own (Debian package ``flite``).

It prints the end of each phone (``-psdur``). The segment of a stop holds its closure and its burst.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from datamodules.synthetic.speech.phones import Phone, filled_with_silence, segment_with_burst
from datamodules.synthetic.speech.resampling import resampled
from datamodules.synthetic.speech.voices import FLITE_VOICES, Manner, Spoken
from lightning_modules.errors import BackendError

_REMEDY: Final = "install it (Debian, Ubuntu: apt-get install flite), or choose the voices espeak or tiny"
SAMPLE_RATE: Final = 16000
_KAL_PITCH: Final = 105.0
_PATIENCE: Final = 60.0


class FliteVoice:
    """One voice of flite.

    Args:
        voice: ``slt``, ``rms``, ``awb`` or ``kal16``.
        tract: length of the vocal tract relative to the voice's own, 0.7 to 1.4. Speech is made slower or faster by
            this factor and brought back by resampling, which moves formants and pitch and nothing else.

    Raises:
        BackendError: flite is not installed.
        ValueError: the voice is unknown or the factor out of range.
    """

    def __init__(self, voice: str = "slt", tract: float = 1.0) -> None:
        if voice not in FLITE_VOICES:
            raise ValueError(f"flite has {', '.join(FLITE_VOICES)}")
        if not 0.7 <= tract <= 1.4:
            raise ValueError("a vocal tract is 0.7 to 1.4 times the usual")
        program = shutil.which("flite")
        if program is None:
            raise BackendError("the program flite is not installed", _REMEDY)
        self.name = f"flite:{voice}" if tract == 1 else f"flite:{voice}@{tract:g}"
        self._program, self._voice, self._tract = program, voice, tract

    def say(self, text: str, manner: Manner) -> Spoken:
        """Say an English text."""
        return self._run(["-t", text], manner)

    def say_phones(self, phones: Sequence[str], manner: Manner) -> Spoken:
        """Say ARPAbet phones."""
        return self._run(["-p", " ".join(phones)], manner)

    def _run(self, what: list[str], manner: Manner) -> Spoken:
        import soundfile

        stretch = 1.0 / (manner.tempo * self._tract)
        shift = 2 ** (manner.pitch / 12)
        melody = f"int_f0_target_mean={_KAL_PITCH * shift}" if self._voice == "kal16" else f"f0_shift={shift}"
        options = ["-voice", self._voice, "-psdur", "--setf", f"duration_stretch={stretch}", "--setf", melody]
        with tempfile.TemporaryDirectory(prefix="inkspeak-") as folder:
            path = Path(folder, "speech.wav")
            command = [self._program, *options, *what, "-o", str(path)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_PATIENCE)  # noqa: S603 - a fixed program, no shell
                samples, rate = soundfile.read(path, dtype="float32")
            except (subprocess.SubprocessError, OSError, RuntimeError) as error:
                raise BackendError(f"flite failed ({error})", "try it on a terminal") from error
        phones, at = [], 0.0
        seconds = len(samples) / rate
        for entry in done.stdout.split():
            label, _, moment = entry.rpartition(":")
            end = min(float(moment), seconds)  # kal16 leaves out half of the last pause
            if end > at:
                phones.append(Phone(at, end, label, closure=segment_with_burst(label, at, end)))
                at = end
        utterance = filled_with_silence(phones, seconds).scaled(self._tract)
        samples = resampled(np.asarray(samples, np.float32), rate, SAMPLE_RATE * self._tract)
        return Spoken(samples, utterance)
