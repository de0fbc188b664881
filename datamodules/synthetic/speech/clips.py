"""One clip of synthetic speech: what is asked for, and the sound, the phones and the moving face that come of it.

Everything random is addressed by (seed, number of the clip): a clip does not depend on which others are made.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from datamodules.synthetic.speech.articulation import move_face
from datamodules.synthetic.speech.augmentation import Recording, record, sample_recording
from datamodules.synthetic.speech.coarticulation import Articulation, articulate, frame_count, prosody_gain
from datamodules.synthetic.speech.detector_errors import as_detected
from datamodules.synthetic.speech.faces import sample_face, turned_to_the_front
from datamodules.synthetic.speech.phones import Phone, Span, Utterance, filled_with_silence
from datamodules.synthetic.speech.text import sentence, syllables
from datamodules.synthetic.speech.visemes import VISEMES, VisemeTable
from datamodules.synthetic.speech.voices import FLITE_VOICES, Manner, Spoken, Voice
from lightning_modules.audio.blinks import blink_track
from lightning_modules.audio.head_motion import head_motion, poses, sway
from lightning_modules.audio.prosody import Prosody, prosody_of
from lightning_modules.audio.speaker_style import AVERAGE, SpeakerStyle

SAMPLE_RATE: Final = 16000
CASTS: Final = 8
"""Voices and faces are divided into so many casts; a voice is only ever seen with faces of its own cast, so that
holding out a cast holds out voices and faces without dropping anything else."""

NONSENSE_SHARE: Final = 0.2
MOUTH_STYLE: Final = 0.2
"""Share of a speaker's style that jaw and width take on: gains of 0.9 to 1.1. With all of it, a third of the mouth's
motion would hang on a random function of the voice that nobody can learn from a hundred voices."""

_BROW_RAISE, _BROW_NOISE, _BROW_SECONDS, _BROW_SHARE = 0.03, 0.008, 0.4, 0.5
_BROWS: Final = 40  # purpose of the random numbers of lightning_modules.audio.idle_motion.stream
_PHRASE_PAUSE, _PAUSE = 0.25, 0.2


@dataclass(frozen=True)
class ClipPlan:
    """What one clip is to be.

    Args:
        number: of the clip, from 0.
        voice: name of the voice.
        face: number of the face in the population.
        cast: which cast both belong to.
        parts: sentences, or pieces of nonsense as ARPAbet phones joined by spaces.
        nonsense: whether the parts are nonsense.
        pauses: seconds of silence before, between and after the parts.
        manner: of speaking.
        recording: conditions.
        seed: of everything else that is random in the clip.
    """

    number: int
    voice: str
    face: int
    cast: int
    parts: tuple[str, ...]
    nonsense: bool
    pauses: tuple[float, ...]
    manner: Manner
    recording: Recording
    seed: int

    @property
    def text(self) -> str:
        """What is said."""
        return ("nonsense: " if self.nonsense else "") + " ".join(self.parts)

    @property
    def face_name(self) -> str:
        """Name of the face, with its cast: ``"cast-3/face-11"``."""
        return f"cast-{self.cast}/face-{self.face}"

    def facts(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)


def cast_of(voice: str) -> int:
    """Return the cast of a voice: its name alone decides; all vocal tracts of one flite voice are in one cast."""
    engine, _, rest = voice.partition(":")
    if engine == "flite":
        return FLITE_VOICES.index(rest.partition("@")[0]) % CASTS
    return zlib.crc32(rest.encode()) % CASTS


def plan_clip(seed: int, number: int, voices: Sequence[str], faces: int) -> ClipPlan:
    """Return what a clip is to be.

    Args:
        seed: of the set.
        number: of the clip, from 0.
        voices: names of the voices; all engines among them get the same share.
        faces: number of faces in the population, at least :data:`CASTS`.
    """
    generator = np.random.default_rng([seed, number, 0])
    engines = sorted({voice.partition(":")[0] for voice in voices})
    engine = engines[int(generator.integers(len(engines)))]
    own = [voice for voice in voices if voice.partition(":")[0] == engine]
    voice = own[int(generator.integers(len(own)))]
    cast = cast_of(voice)
    face = cast + CASTS * int(generator.integers((faces - cast + CASTS - 1) // CASTS))
    nonsense = engine == "tiny" or bool(generator.random() < NONSENSE_SHARE)
    parts: tuple[str, ...]
    if nonsense:
        count = int(generator.integers(8, 16))
        parts = (" ".join(syllables(seed, number, count)),)
    else:
        parts = tuple(sentence(seed, 3 * number + k) for k in range(int(generator.integers(1, 4))))
    inner = generator.uniform(0.05, 0.9, len(parts) - 1)
    pauses = (float(generator.uniform(0.05, 0.5)), *inner.tolist(), float(generator.uniform(0.15, 0.6)))
    manner = Manner(
        tempo=round(float(generator.uniform(0.85, 1.2)), 3),
        pitch=round(float(generator.uniform(-3, 3)), 2),
        seed=int(generator.integers(2**31)),
    )
    recording = sample_recording(generator)
    own_seed = int(generator.integers(2**31))
    return ClipPlan(number, voice, face, cast, parts, nonsense, pauses, manner, recording, own_seed)


def speak_clip(plan: ClipPlan, voice: Voice) -> Spoken:
    """Have the voice say all parts of a clip, with its pauses; clean sound.

    Raises:
        BackendError: the voice's engine fails.
    """
    sound = [_silence(plan.pauses[0])]
    phones: list[Phone] = []
    at = len(sound[0])
    for part, pause in zip(plan.parts, plan.pauses[1:], strict=True):
        spoken = voice.say_phones(part.split(), plan.manner) if plan.nonsense else voice.say(part, plan.manner)
        phones += [_later(phone, at / SAMPLE_RATE) for phone in spoken.utterance.phones]
        sound += [spoken.samples, _silence(pause)]
        at += len(spoken.samples) + len(sound[-1])
    return Spoken(np.concatenate(sound), _one_pause_at_a_time(phones, at / SAMPLE_RATE))


def _silence(seconds: float) -> npt.NDArray[np.float32]:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def _later(phone: Phone, seconds: float) -> Phone:
    closure: Span | None = None
    if phone.closure is not None:
        closure = phone.closure[0] + seconds, phone.closure[1] + seconds
    return replace(phone, start=phone.start + seconds, end=phone.end + seconds, closure=closure)


def _one_pause_at_a_time(phones: Sequence[Phone], duration: float) -> Utterance:
    """Fill what is silent with pauses, and make one of pauses that follow each other."""
    merged: list[Phone] = []
    for phone in filled_with_silence(phones, duration).phones:
        if merged and phone.label == "pau" and merged[-1].label == "pau":
            merged[-1] = replace(merged[-1], end=phone.end)
        else:
            merged.append(phone)
    return Utterance(tuple(merged), duration)


def clip_prosody(spoken: Spoken, pitch: npt.NDArray[np.floating] | None, text: str) -> Prosody:
    """Return the prosody of a clip: accents and melody measured, pauses and questions known.

    Args:
        spoken: clean sound and phones.
        pitch: (T,) Hz, 0 where unvoiced; None if unknown.
        text: what is said.
    """
    table = VisemeTable()
    silent = [
        (phone.start, phone.end)
        for phone in spoken.utterance.phones
        if VISEMES[table.names_of(phone.label)[0][0]] is VISEMES["sil"]
    ]
    pauses = tuple((start, end) for start, end in silent if end - start >= _PAUSE)
    ends = tuple(start for start, end in silent if start > 0 and end - start >= _PHRASE_PAUSE)
    questions = ends[-1:] if text.rstrip().endswith("?") else ()
    return replace(prosody_of(spoken.samples, pitch), pauses=pauses, phrase_ends=ends, questions=questions)


@dataclass(frozen=True, eq=False)
class Performance:
    """A face that speaks a clip.

    Attributes:
        samples: (N,) int16, as recorded.
        articulation: parameters and closures; T = N // 256 + 1 frames.
        registered: (T, 68, 3) float64 face units, without blinks, head at rest.
        pose: (T, 7) of the head.
        lids: (T,) how far blinks close the eyes.
        static: (68, 3) the face at rest.
    """

    samples: npt.NDArray[np.int16]
    articulation: Articulation
    registered: npt.NDArray[np.float64]
    pose: npt.NDArray[np.float64]
    lids: npt.NDArray[np.float64]
    static: npt.NDArray[np.float64]


def recorded_sound(plan: ClipPlan, spoken: Spoken) -> npt.NDArray[np.int16]:
    """Return the sound of a clip under its recording's conditions, (N,) int16."""
    sound = record(spoken.samples, plan.recording, plan.seed)
    return np.asarray(np.clip(np.rint(sound * 32768.0), -32768, 32767), np.int16)


def perform(
    plan: ClipPlan,
    spoken: Spoken,
    pitch: npt.NDArray[np.floating] | None = None,
    *,
    population: int = 0,
    style: SpeakerStyle = AVERAGE,
    detector_errors: bool = False,
) -> Performance:
    """Move a face with speech.

    Args:
        plan: of the clip.
        spoken: its clean sound and phones.
        pitch: (T,) Hz, 0 where unvoiced; for the melody of the head.
        population: seed of the faces.
        style: of the speaker.
        detector_errors: add what a landmark detector would.
    """
    frames = frame_count(len(spoken.samples))
    articulation = articulate(spoken.utterance, frames, prosody_gain(spoken.samples, spoken.utterance, frames))
    parameters = articulation.parameters.copy()
    parameters[:, [0, 3, 4]] *= 1 + MOUTH_STYLE * (style.jaw - 1)
    parameters[:, 1] *= 1 + MOUTH_STYLE * (style.width - 1)
    prosody = clip_prosody(spoken, pitch, plan.text)
    static = sample_face(population, plan.face)
    registered = move_face(static, parameters, brows(prosody, frames, plan.seed, style))
    if detector_errors:
        registered = as_detected(registered, np.random.default_rng([plan.seed, 1]))
    static, registered = turned_to_the_front(static, registered)
    return Performance(
        samples=recorded_sound(plan, spoken),
        articulation=replace(articulation, parameters=parameters),
        registered=registered,
        pose=poses(head_motion(prosody, frames, seed=plan.seed, style=style), static),
        lids=np.clip(blink_track(prosody, frames, seed=plan.seed, style=style), 0.0, 1.0),
        static=static,
    )


def brows(prosody: Prosody, frames: int, seed: int, style: SpeakerStyle = AVERAGE) -> npt.NDArray[np.float64]:
    """Return by how much the brows are raised, (T,) face units: at every other accent on average, and slow noise."""
    generator = np.random.default_rng([seed, 2])
    times = np.arange(frames) / 62.5
    raised = np.zeros(frames)
    for accent in prosody.accents:
        if generator.random() < _BROW_SHARE:
            away = np.clip((times - accent - 0.1) / (_BROW_SECONDS / 2), -1, 1)
            raised = np.maximum(raised, np.cos(0.5 * np.pi * away) ** 2)
    return np.asarray(style.brows * _BROW_RAISE * raised + sway(seed, _BROWS, _BROW_NOISE, frames))
