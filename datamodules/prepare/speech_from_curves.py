"""Prepare speech records from recorded face-shape curves: real speech, real mouth motion, many faces.

Every take is shown by many identities of a 3D face model. Mouth and jaw are the performer's; head motion and blinks are
not recorded in such takes and are made by rule (:mod:`lightning_modules.audio.head_motion`,
:mod:`lightning_modules.audio.blinks`), which is why the records count as synthetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from datamodules.prepare.curve_names import shape_weights
from datamodules.prepare.preparation import Facts, SourceItem
from datamodules.prepare.prepared_set import fingerprint
from datamodules.prepare.record_folder import sha256_of_file
from datamodules.prepare.recorded_curves import SOUND_ENDINGS, find_takes, read_curves, sound_beside
from datamodules.prepare.report import Entry, PreparationReport
from datamodules.prepare.runner import Progress
from datamodules.prepare.shape_face import ShapeFace, read_shape_face
from datamodules.prepare.sources import FoundFiles, TermsFinder, record_id
from datamodules.prepare.speech_features import EmbedSpeaker, SpeechFeatures, as_float, features_of, speaker_embedder
from datamodules.prepare.speech_record import FRAMES_PER_SECOND, HOP, SpeechRecord
from datamodules.prepare.speech_set import KIND, SET_KIND, SpeechSource, write_speech
from datamodules.prepare.whole_set import SetBuilder, checked_workers, prepare_set
from lightning_modules.audio.blinks import blink_track
from lightning_modules.audio.expression import keep_apart
from lightning_modules.audio.head_motion import head_motion, poses
from lightning_modules.audio.prosody import Prosody, prosody_of
from lightning_modules.audio.speaker_style import AVERAGE, speaker_style
from lightning_modules.errors import ConfigError, InkspeakError, TrackError
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.geometry.head_pose import face_frame, register
from lightning_modules.geometry.landmark_groups import INNER_LIP_PAIRS, OUTER_LIP_PAIRS

EDITION: Final = 2
"""Part of the settings; raise it whenever the same take would be prepared differently."""

VERSION: Final = f"speech from curves {EDITION}"
CLOSED_GAP: Final = 0.006
"""Distance of the inner lips of a closed mouth, face units: half a millimetre."""

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class CurveSettings:
    """What shapes a record.

    Args:
        identities: faces that show each take; every take has its own.
        spread: standard deviation of the identity coefficients; the population's is 1.
        lag: seconds by which the curves come after the sound. The mouth of FACEGOOD's takes opens 18 ms after the
            energy of the voice, that of filmed speakers 7 ms before; the default makes up for the difference.
        voice: name of the voice; None for the name of the folder that is prepared.
        seed: of identities, head motion and blinks.
        embedding: compute speaker embeddings; needs the extra ``paper``.

    Raises:
        ConfigError: a value is out of its range.
    """

    identities: int = 24
    spread: float = 0.9
    lag: float = 0.025
    voice: str | None = None
    seed: int = 0
    embedding: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.identities <= 999:
            raise ConfigError(f"{self.identities} identities were asked for", "give a number from 1 to 999")
        if not 0.0 <= self.spread <= 1.5:
            raise ConfigError(f"the spread {self.spread} of identities is out of range", "give a number from 0 to 1.5")
        if not -0.5 <= self.lag <= 0.5 or self.seed < 0:
            raise ConfigError(f"lag {self.lag} s, seed {self.seed}", "give a lag within half a second, a seed from 0")


@dataclass(frozen=True)
class TakeItem(SourceItem):
    """One take as one identity shows it: what becomes one record.

    Args:
        take: name of the file of curves.
        sound: file of the sound; None if there is none.
        voice: who speaks.
        seed: of everything random in the record: addressed by the set's seed, the take and the identity's number.
        refusal: why the take cannot be read; None if it can.
    """

    take: str = ""
    sound: Path | None = None
    voice: str = ""
    seed: int = 0
    refusal: tuple[str, str] | None = None


@dataclass(frozen=True, eq=False)
class Take:
    """What all identities of a take share.

    Attributes:
        samples: (N,) int16, 16 kHz.
        features: of the sound.
        prosody: of the sound.
        displacement: (T, 68, 3) of the landmarks by expression, units of the face model.
        unknown: names of curves that move but are not understood.
    """

    samples: NDArray[np.int16]
    features: SpeechFeatures
    prosody: Prosody
    displacement: _Array
    unknown: tuple[str, ...]


def read_take(
    curves: Path, sound: Path, root: Path, face: ShapeFace, lag: float, embed: EmbedSpeaker | None = None
) -> Take:
    """Read one take and work out what does not depend on the identity.

    Args:
        curves: the ``.npz``.
        sound: the recording.
        root: folder up to which a list of names is looked for.
        face: the 3D face.
        lag: seconds by which the curves come after the sound.
        embed: computes the speaker embedding; None for none.

    Raises:
        TrackError: the curves cannot be used.
        AudioError: the sound cannot be used.
    """
    from lightning_modules.audio.loading import read_speech
    from lightning_modules.audio.loudness import to_int16

    recorded = read_curves(curves, root)
    samples = to_int16(read_speech(sound).samples)
    times = np.arange(len(samples) // HOP + 1) / FRAMES_PER_SECOND
    seconds = len(recorded.weights) / recorded.fps
    if abs(seconds - len(samples) / 16000) > 1.0:
        found = f"lasts {seconds:.1f} s, its sound {len(samples) / 16000:.1f} s"
        raise TrackError(found, "give the sound that was recorded with it", curves)
    weights, unknown = shape_weights(recorded.at(times + lag), recorded.names, face.expression_names)
    if not weights:
        raise TrackError("has no curve that moves a shape of the face model", "give ARKit or FACEGOOD names", curves)
    features = features_of(samples, embed)
    prosody = prosody_of(as_float(samples), features.pitch)
    return Take(samples, features, prosody, face.displacement(weights), unknown)


def closed_lips(face: _Array) -> _Array:
    """Bring the inner lips of a face at rest to half a millimetre from each other; outer lips follow by 0.85.

    Args:
        face: (68, 3) face units, upright.

    Returns:
        (68, 3).
    """
    closed = face.copy()
    for (upper, lower), (outer_upper, outer_lower) in zip(INNER_LIP_PAIRS, OUTER_LIP_PAIRS[1:4], strict=True):
        move = 0.5 * (face[lower, 1] - face[upper, 1] - CLOSED_GAP)
        closed[upper, 1] += move
        closed[lower, 1] -= move
        closed[outer_upper, 1] += 0.85 * move
        closed[outer_lower, 1] -= 0.85 * move
    return closed


def random_identity(face: ShapeFace, seed: int, spread: float) -> _Array:
    """Draw an identity: (68, 3), units of the face model, lips as the model has them."""
    coefficients = np.random.default_rng(seed).standard_normal(len(face.identities))
    return face.identity(spread * coefficients)


def record_of(item: TakeItem, take: Take, face: ShapeFace, spread: float) -> SpeechRecord:
    """Show a take with one identity."""
    neutral = random_identity(face, item.seed, spread)
    frame = face_frame(neutral, frontal_face())  # seen from the front as drivers see the faces of photos
    static = closed_lips(frame.to_face_units(neutral))
    track = register(static + take.displacement / frame.unit @ frame.rotation.T, static).registered
    # Lips that press against each other are flat in the model; their landmarks must not change places.
    keep_apart(track, np.broadcast_to([0.0, 1.0], (len(track), 2)), 0.0)
    embedding = take.features.speaker_embedding
    style = AVERAGE if embedding is None else speaker_style(embedding)
    pose = poses(head_motion(take.prosody, len(track), seed=item.seed, style=style), static)
    lids = blink_track(take.prosody, len(track), seed=item.seed, style=style)
    return SpeechRecord(
        samples=take.samples,
        mel=take.features.mel,
        pitch_bins=take.features.pitch_bins,
        registered=track.astype(np.float32),
        pose=pose.astype(np.float32),
        static=static.astype(np.float32),
        voice=item.voice,
        face=f"shapes-{item.seed:015x}",
        sentence=item.take.rsplit(".", 1)[0],
        source=item.terms.attribution or item.take,
        licence=item.terms.licence,
        synthetic=True,
        speaker_embedding=embedding,
        lids=np.clip(lids, 0.0, 1.0).astype(np.float32),
        seed=item.seed,
        generator_version=VERSION,
    )


def opening_correlation(record: SpeechRecord) -> tuple[float, int]:
    """How well the mouth of a record follows the loudness of its sound.

    Returns:
        The best correlation of the inner lips' distance with the level in dB (40 dB range), and the lag at which it is
        reached, in milliseconds: positive if the mouth comes after the sound.
    """
    gap = np.linalg.norm(record.registered[:, 66] - record.registered[:, 62], axis=1).astype(np.float64)
    samples = np.pad(as_float(record.samples).astype(np.float64), (320, 320 + HOP))
    frames = np.lib.stride_tricks.sliding_window_view(samples, 640)[::HOP][: len(gap)]
    level = 10.0 * np.log10((frames**2).mean(axis=1) + 1e-10)
    level = np.maximum(level, np.percentile(level, 95) - 40.0)
    reach = min(8, (len(gap) - 3) // 4)
    if reach < 0 or level.std() < 1e-6 or gap.std() < 1e-9:
        return 0.0, 0
    inner = slice(reach, len(gap) - reach)
    found = [float(np.corrcoef(level[inner], np.roll(gap, -lag)[inner])[0, 1]) for lag in range(-reach, reach + 1)]
    best = int(np.argmax(found))
    return found[best], round((best - reach) * 1000 / FRAMES_PER_SECOND)


@dataclass
class CurveWork:
    """The work function of one process: item in, record written. It keeps the last take, which the next item shares."""

    settings: CurveSettings
    root: Path
    face: ShapeFace
    records: Path
    tools: Facts
    embed: EmbedSpeaker | None
    _last: tuple[Path, Take] | None = field(default=None, repr=False)

    def __call__(self, item: SourceItem) -> str:
        """Prepare one item; return the id of its record."""
        if not isinstance(item, TakeItem):
            raise TypeError(f"expected a take, got {type(item).__name__}")
        if item.sound is None or item.refusal is not None:
            raise TrackError(*(item.refusal or ("has no sound", "give one")), item.path)
        if self._last is None or self._last[0] != item.path:
            self._last = (
                item.path,
                read_take(item.path, item.sound, self.root, self.face, self.settings.lag, self.embed),
            )
        take = self._last[1]
        record = record_of(item, take, self.face, self.settings.spread)
        correlation, lag = opening_correlation(record)
        measured = {"correlation": round(correlation, 3), "lag_ms": lag, "unknown_curves": list(take.unknown)}
        source = SpeechSource(item.take, item.sha256, item.terms)
        tools = {**self.tools, "measured": measured}
        folder = write_speech(self.records, item.id, record, source=source, fingerprint=item.fingerprint, tools=tools)
        return folder.name


def make_curve_work(settings: CurveSettings, root: Path, model: Path, tools: Facts, records: Path) -> CurveWork:
    """Build the work function; called once in each process."""
    embed = speaker_embedder(wanted=settings.embedding)
    return CurveWork(settings, root, read_shape_face(model), records, tools, embed)


def plan_takes(
    found: FoundFiles, names: Sequence[str], terms: TermsFinder, settings: CurveSettings, facts: Facts
) -> list[TakeItem]:
    """One item for every take and identity; a take without sound becomes one item to be rejected."""
    items = []
    voice = settings.voice or found.root.resolve().name or "voice"
    for name in names:
        path, own = found.root / name, terms.terms_of(name)
        refusal, sound, digest = None, None, ""
        try:
            sound = sound_beside(path)
            digest = fingerprint([sha256_of_file(path), sha256_of_file(sound)])
        except InkspeakError as error:
            refusal = error.found, error.remedy
        except OSError as error:
            refusal = f"cannot be read ({error.strerror})", "make it readable"
        for number in range(1 if refusal else settings.identities):
            label = f"{name}/face_{number:03d}.face"
            mark = fingerprint(label, digest, own.licence, own.attribution, voice, facts)
            seed = int(fingerprint(settings.seed, name, number)[:15], 16)
            # Records of one take are different contents, although the take has one hash.
            items.append(TakeItem(record_id(label), label, path, mark, own, mark, name, sound, voice, seed, refusal))
    return items


def prepare_curves(
    source: str | Path,
    destination: str | Path,
    face_model: str | Path,
    settings: CurveSettings | None = None,
    *,
    licence: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> PreparationReport:
    """Prepare all takes of a folder into a set of speech records with manifest and report.

    An item of the report is a take shown by one identity. Run again, only what is missing or has changed is done. The
    records do not depend on the number of processes.

    Args:
        source: a folder, searched with all folders below it, or one file: ``NAME.npz`` beside ``NAME.flac``, see
            :mod:`datamodules.prepare.recorded_curves`.
        destination: folder of the prepared set, outside of the source; made if missing.
        face_model: the 3D face, see :mod:`datamodules.prepare.shape_face`.
        settings: what shapes the records; None for the defaults.
        licence: of all takes; None looks for it in the nearest ``SOURCE.md`` above each.
        workers: number of processes; None for one a processor, 0 to work in this process.
        limit: prepare only the first so many takes.
        progress: told after every item.

    Returns:
        The report, also written as ``report.json`` and ``report.md``.

    Raises:
        TrackError: there is no take in the source.
        BackendError: the face model cannot be read.
        OutputError: the destination cannot be written, or is or holds something else.
        PreparedSetError: the destination was prepared with other settings or in another format.
        ConfigError: a setting is out of its range.
    """
    source, destination, model = Path(source), Path(destination), Path(face_model)
    chosen = settings or CurveSettings()
    if limit is not None and limit < 1:
        raise ConfigError(f"a limit of {limit} takes leaves none", "give a limit of 1 or more")
    workers = checked_workers(workers)
    found = find_takes(source)

    def tools() -> Facts:
        read_shape_face(model)
        speaker_embedder(wanted=chosen.embedding)  # what is missing is told before anything is written
        return {"face_model": sha256_of_file(model)}

    def plan(facts: Facts) -> tuple[FoundFiles, list[SourceItem]]:
        items = plan_takes(found, found.names[:limit], TermsFinder(found.root, licence), chosen, facts)
        others = tuple(name for name in found.passed_over if not name.endswith(SOUND_ENDINGS))
        return FoundFiles(found.root, tuple(item.name for item in items), others), list(items)

    builder = SetBuilder(
        kind=SET_KIND,
        record_kind=KIND,
        settings={"edition": EDITION, "builder": "curves", **asdict(chosen)},
        tools=tools,
        plan=plan,
        make_work=lambda records: partial(make_curve_work, chosen, found.root, model, {"builder": VERSION}, records),
        findings=curve_findings,
    )
    return prepare_set(builder, source, destination, workers=workers, contact_sheets=False, progress=progress)


def curve_findings(accepted: Sequence[tuple[SourceItem, Mapping[str, Any]]]) -> Mapping[str, tuple[Entry, ...]]:
    """Return how the mouth of each take follows its sound, and which curves were left out."""
    takes: dict[str, list[Mapping[str, Any]]] = {}
    for _, facts in accepted:
        takes.setdefault(facts["source"]["name"], []).append(facts)
    synchrony, unknown = [], []
    for name, records in takes.items():
        measured = [facts["tools"]["measured"] for facts in records]
        best = np.mean([one["correlation"] for one in measured])
        lag = np.mean([one["lag_ms"] for one in measured])
        seconds = records[0]["speech"]["seconds"]
        text = f"{seconds:.1f} s, {len(records)} faces, correlation {best:.2f} at {lag:+.0f} ms"
        synchrony.append(Entry(name, text))
        if measured[0]["unknown_curves"]:
            unknown.append(Entry(name, ", ".join(measured[0]["unknown_curves"])))
    return {"Mouth opening against loudness": tuple(synchrony), "Curves left out": tuple(unknown)}
