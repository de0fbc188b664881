"""Prepare synthetic speech: clips whose sound and motion are made by rule, with everything about them known.

Reference: stage 1, section 19. What a clip is depends on the seed and its number alone; a larger set begins with the
clips of a smaller one. The set carries a ``DATA_CARD.md``, and every record is marked synthetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from datamodules.prepare.manifest import RECORDS_NAME
from datamodules.prepare.preparation import Facts, SourceItem
from datamodules.prepare.prepared_set import fingerprint, read_set
from datamodules.prepare.record_folder import read_facts, record_folders
from datamodules.prepare.report import Entry, PreparationReport
from datamodules.prepare.runner import Progress
from datamodules.prepare.sources import FoundFiles, Terms, record_id
from datamodules.prepare.speech_features import EmbedSpeaker, features_of
from datamodules.prepare.speech_record import SpeechRecord
from datamodules.prepare.speech_set import KIND, SET_KIND, SpeechSource, write_speech
from datamodules.prepare.whole_set import SetBuilder, checked_workers, prepare_set
from datamodules.synthetic.speech.clips import (
    CASTS,
    ClipPlan,
    perform,
    plan_clip,
    recorded_sound,
    speak_clip,
)
from datamodules.synthetic.speech.data_card import data_card
from datamodules.synthetic.speech.text import sentence
from datamodules.synthetic.speech.voices import Manner, Voice, make_voice, voice_names
from lightning_modules.audio.speaker_style import AVERAGE, SpeakerStyle, speaker_style
from lightning_modules.errors import BackendError, ConfigError
from lightning_modules.pipeline.atomic_files import atomic_path

EDITION: Final = 2
"""Part of the settings; raise it whenever the same clip would come out differently."""

VERSION: Final = f"synthetic speech {EDITION}"
TERMS: Final = Terms("MIT", "synthetic speech and motion, made by inkspeak")
CARD_NAME: Final = "DATA_CARD.md"
SECONDS_OF_A_CLIP: Final = 5.9
"""Mean length with the voices of flite and espeak-ng; from it the number of clips of so many hours is estimated."""

_PROBES: Final = 2  # sentences from which the embedding of a voice is averaged
_MADE_BY_RULE: Final = Path("made-by-rule")


@dataclass(frozen=True)
class SyntheticSpeechSettings:
    """What shapes the clips.

    Args:
        voices: names of voices, in order; see :mod:`datamodules.synthetic.speech.voices`.
        faces: how many faces there are, 8 to 10,000.
        seed: of everything random.
        embedding: compute speaker embeddings, and let the style of a speaker follow from the voice; needs the extra
            ``paper``. Without, every speaker moves like the average one.
        detector_errors: add what a landmark detector would to the motion.

    Raises:
        ConfigError: a value is out of its range.
    """

    voices: tuple[str, ...]
    faces: int = 32
    seed: int = 0
    embedding: bool = True
    detector_errors: bool = False

    def __post_init__(self) -> None:
        if not CASTS <= self.faces <= 10000:
            raise ConfigError(f"{self.faces} faces were asked for", f"give a number from {CASTS} to 10000")
        if self.seed < 0:
            raise ConfigError(f"the seed {self.seed} is negative", "give 0 or more")
        if not self.voices:
            raise ConfigError("there is no voice", "name an engine or a voice")


@dataclass(frozen=True)
class ClipItem(SourceItem):
    """One clip to make.

    Args:
        plan: what it is to be.
    """

    plan: ClipPlan | None = None


def plan_clips(settings: SyntheticSpeechSettings, count: int, facts: Facts) -> list[ClipItem]:
    """Return the items of the first so many clips."""
    items = []
    for number in range(count):
        plan = plan_clip(settings.seed, number, settings.voices, settings.faces)
        name = f"clip_{number:06d}.synthetic"
        mark = fingerprint(name, plan.facts(), facts)
        items.append(ClipItem(record_id(name), name, _MADE_BY_RULE / name, mark, TERMS, mark, plan))
    return items


@dataclass(frozen=True)
class ClipWork:
    """The work function of one process: plan in, record written.

    Args:
        settings: of the set.
        records: where records go.
        embed: computes speaker embeddings; None for none.
    """

    settings: SyntheticSpeechSettings
    records: Path
    embed: EmbedSpeaker | None

    def __call__(self, item: SourceItem) -> str:
        """Make one clip; return the id of its record."""
        if not isinstance(item, ClipItem) or item.plan is None:
            raise TypeError(f"expected a planned clip, got {type(item).__name__}")
        record, unknown = self.record_of(item.plan)
        tools = {"builder": VERSION, "plan": item.plan.facts(), "unknown_phones": list(unknown)}
        source = SpeechSource(item.name, "", TERMS)
        return write_speech(
            self.records, item.id, record, source=source, fingerprint=item.fingerprint, tools=tools
        ).name

    def record_of(self, plan: ClipPlan) -> tuple[SpeechRecord, tuple[str, ...]]:
        """Return the record of a clip, and the phones without a viseme of their own."""
        voice = _voice(plan.voice)
        spoken = speak_clip(plan, voice)
        samples = recorded_sound(plan, spoken)
        features = features_of(samples, self.embed)
        done = perform(
            plan,
            spoken,
            features.pitch,
            population=self.settings.seed,
            style=AVERAGE if self.embed is None else _style_of(plan.voice, self.embed),
            detector_errors=self.settings.detector_errors,
        )
        record = SpeechRecord(
            samples=samples,
            mel=features.mel,
            pitch_bins=features.pitch_bins,
            registered=done.registered.astype(np.float32),
            pose=done.pose.astype(np.float32),
            static=done.static.astype(np.float32),
            voice=plan.voice,
            face=plan.face_name,
            sentence=plan.text,
            source=VERSION,
            licence=TERMS.licence,
            synthetic=True,
            speaker_embedding=features.speaker_embedding,
            lids=done.lids.astype(np.float32),
            phones=tuple((phone.start, phone.end, phone.label) for phone in spoken.utterance.phones),
            parameters=done.articulation.parameters.astype(np.float32),
            closures=done.articulation.closures,
            seed=plan.seed,
            generator_version=VERSION,
        )
        return record, done.articulation.unknown


@lru_cache(maxsize=512)
def _voice(name: str) -> Voice:
    return make_voice(name)


@lru_cache(maxsize=512)
def _style_of(name: str, embed: EmbedSpeaker) -> SpeakerStyle:
    """The style of a voice, from the mean embedding of what it says in a studio."""
    embeddings: list[NDArray[np.float32]] = []
    for number in range(_PROBES):
        spoken = _voice(name).say(f"{sentence(1, 2 * number)} {sentence(1, 2 * number + 1)}", Manner())
        samples = np.asarray(np.clip(np.rint(spoken.samples * 32768.0), -32768, 32767), np.int16)
        embedding = features_of(samples, embed).speaker_embedding
        embeddings += [] if embedding is None else [embedding]
    mean = np.mean(np.stack(embeddings), axis=0)
    return speaker_style(mean / np.linalg.norm(mean))


def make_clip_work(settings: SyntheticSpeechSettings, records: Path) -> ClipWork:
    """Build the work function; called once in each process.

    Raises:
        BackendError: speaker embeddings are asked for, and the extra is missing.
    """
    return ClipWork(settings, records, _embedder() if settings.embedding else None)


def _embedder() -> Callable[[Any], Any]:
    from lightning_modules.audio.speaker_embedding import embed_speaker

    return embed_speaker


def _check_tools(settings: SyntheticSpeechSettings) -> Facts:
    """Try every engine and the embedding once, so that what is missing is told before anything is written."""
    for engine in dict.fromkeys(voice.partition(":")[0] for voice in settings.voices):
        make_voice(next(voice for voice in settings.voices if voice.startswith(f"{engine}:")))
    if settings.embedding:
        try:
            _embedder()(0.01 * np.sin(np.arange(32000, dtype=np.float32)))
        except BackendError as error:
            raise BackendError(error.found, f"{error.remedy}, or do without (--no-embedding)") from error
    return {"casts": CASTS}


def prepare_synthetic_speech(
    destination: str | Path,
    *,
    clips: int | None = None,
    hours: float | None = None,
    voices: Sequence[str] = ("flite", "espeak"),
    faces: int = 32,
    seed: int = 0,
    embedding: bool = True,
    detector_errors: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> PreparationReport:
    """Make a set of synthetic speech with manifest, report and data card.

    Run again, it makes only what is missing; with more clips, it adds to the set. The records do not depend on the
    number of processes.

    Args:
        destination: folder of the set; made if missing.
        clips: how many; or
        hours: about how many hours. None and None is 1 hour.
        voices: engines (``flite``, ``espeak``, ``tiny``), which stand for all their voices, or names of voices.
        faces: how many different faces, 8 to 10,000.
        seed: of everything random.
        embedding: see :class:`SyntheticSpeechSettings`.
        detector_errors: see :class:`SyntheticSpeechSettings`.
        workers: number of processes; None for one a processor, 0 to work in this process.
        progress: told after every clip.

    Returns:
        The report, also written as ``report.json`` and ``report.md``.

    Raises:
        BackendError: an engine or the extra is not installed; says how to install it.
        OutputError: the destination cannot be written, or is or holds something else.
        PreparedSetError: the destination was prepared with other settings or in another format.
        ConfigError: a setting is out of its range.
    """
    count = clip_count(clips, hours)
    chosen = SyntheticSpeechSettings(voice_names(voices), faces, seed, embedding, detector_errors)
    destination = Path(destination)

    def plan(facts: Facts) -> tuple[FoundFiles, list[SourceItem]]:
        items = plan_clips(chosen, count, facts)
        return FoundFiles(_MADE_BY_RULE, tuple(item.name for item in items), ()), list(items)

    builder = SetBuilder(
        kind=SET_KIND,
        record_kind=KIND,
        settings={"edition": EDITION, "builder": "synthetic", **asdict(chosen)},
        tools=lambda: _check_tools(chosen),
        plan=plan,
        make_work=lambda records: partial(make_clip_work, chosen, records),
        findings=clip_findings,
    )
    report = prepare_set(
        builder, None, destination, workers=checked_workers(workers), contact_sheets=False, progress=progress
    )
    write_data_card(destination)
    return report


def clip_count(clips: int | None, hours: float | None) -> int:
    """Return how many clips to make.

    Raises:
        ConfigError: both or neither more than nothing are given.
    """
    if clips is not None and hours is not None:
        raise ConfigError("both clips and hours were given", "give one of them")
    estimated = round((1.0 if hours is None else hours) * 3600 / SECONDS_OF_A_CLIP)
    count = estimated if clips is None else clips
    if count < 1:
        raise ConfigError("that leaves no clip", "ask for 1 clip or more")
    return count


def write_data_card(destination: Path) -> Path:
    """Write the data card of a set from its records; return its path."""
    settings = read_set(destination)["settings"]
    rows = [read_facts(folder, KIND)["speech"] for folder in record_folders(destination / RECORDS_NAME)]
    path = destination / CARD_NAME
    with atomic_path(path) as aside:
        aside.write_text(data_card(settings, rows), encoding="utf-8")
    return path


def clip_findings(accepted: Sequence[tuple[SourceItem, Mapping[str, Any]]]) -> Mapping[str, tuple[Entry, ...]]:
    """Return how much each voice says, and which phones had no viseme of their own."""
    seconds: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for _, facts in accepted:
        voice = facts["speech"]["voice"]
        seconds[voice] += facts["speech"]["seconds"]
        counts[voice] += 1
        unknown.update(facts["tools"]["unknown_phones"])
    return {
        "Voices": tuple(Entry(voice, f"{counts[voice]} clips, {seconds[voice]:.0f} s") for voice in sorted(counts)),
        "Phones without a viseme of their own": tuple(
            Entry(label, f"in {count} clips") for label, count in sorted(unknown.items())
        ),
    }
