"""Prepare speech records from real talking-face videos: detected landmarks and the sound that goes with them.

1. Every video is shown at 25 frames a second and its largest face is followed; where it is out of sight for at most
   five frames it is interpolated, where for longer the track ends (:mod:`datamodules.prepare.talking_faces`). Tracks
   are kept under ``tracks/``, so that an interrupted preparation does not detect anew.
2. Every track that is long enough becomes a record: head pose taken out by rigid registration on nose and eye corners,
   landmarks brought from 25 to 62.5 frames a second, the sound cut to the same stretch.

Reference: stage 1, sections 10.3 and 10.4; the published converter ended clips early and interpolated two dimensions
only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from datamodules.prepare.face_motion import face_motion, sound_of
from datamodules.prepare.films import VIDEO_ENDINGS
from datamodules.prepare.preparation import Facts, SourceItem, plan_items
from datamodules.prepare.prepared_set import SET_NAME, fingerprint, write_set
from datamodules.prepare.report import Entry, PreparationReport
from datamodules.prepare.runner import Progress, run_items
from datamodules.prepare.sources import FoundFiles, TermsFinder, find_files, record_id
from datamodules.prepare.speech_features import EmbedSpeaker, features_of
from datamodules.prepare.speech_from_curves import opening_correlation
from datamodules.prepare.speech_record import HOP, SpeechRecord
from datamodules.prepare.speech_set import KIND, SET_KIND, SpeechSource, write_speech
from datamodules.prepare.talking_faces import FaceTrack
from datamodules.prepare.video_tracks import (
    TRACKS_NAME,
    VIDEO_RATE,
    AnalyzerMaker,
    existing_tracks,
    make_track_work,
    read_tracks,
    tracks_path,
)
from datamodules.prepare.whole_set import SetBuilder, checked_workers, prepare_set
from lightning_modules.errors import BackendError, ConfigError, NoFaceError, VideoError
from lightning_modules.faces.face_analyzers import make_face_analyzer

EDITION: Final = 1
"""Part of the settings; raise it whenever the same video would be prepared differently."""

VERSION: Final = f"speech from videos {EDITION}"
SMALLEST_FACE: Final = 24.0
"""Tracks whose outer eye corners are fewer pixels apart are rejected: lips would move by less than a pixel."""


@dataclass(frozen=True)
class VideoSettings:
    """What shapes a record.

    Args:
        landmarks: face backend, a name of ``lightning_modules.faces.face_analyzers.make_face_analyzer``.
        speaker: what names voice and face: each ``"file"`` another speaker, or each ``"folder"``.
        shortest: seconds; shorter tracks are rejected, at least 0.5.
        embedding: compute speaker embeddings; needs the extra ``paper``.

    Raises:
        ConfigError: a value is out of its range.
    """

    landmarks: str = "mediapipe"
    speaker: Literal["file", "folder"] = "file"
    shortest: float = 1.0
    embedding: bool = True

    def __post_init__(self) -> None:
        if self.landmarks == "file":
            raise ConfigError("landmarks from a file belong to one picture, not to a video", "choose mediapipe")
        if not 0.5 <= self.shortest <= 600:
            raise ConfigError(f"a shortest track of {self.shortest} s", "give 0.5 to 600 seconds")


@dataclass(frozen=True)
class TrackItem(SourceItem):
    """One track of one video: what becomes one record or is rejected.

    Args:
        video: name of the video.
        first: number of the track's first frame at 25 frames a second.
        stop: number of the frame after its last.
        interpolated: frames in it without a detection.
        speaker: who speaks.
        tracks: file with the landmarks.
        refusal: why there is no track; None if there is one.
    """

    video: str = ""
    first: int = 0
    stop: int = 0
    interpolated: int = 0
    speaker: str = ""
    tracks: Path | None = None
    refusal: tuple[str, str] | None = None


def plan_tracks(
    videos: Sequence[SourceItem], folder: Path, reasons: Mapping[str, str], settings: VideoSettings
) -> list[TrackItem]:
    """One item for every track of every video; one to be rejected for a video without any."""
    items = []
    for video in videos:
        tracks = read_tracks(tracks_path(folder, video), video.fingerprint) or []
        parent = video.name.rpartition("/")[0]
        speaker = (parent or video.path.parent.name) if settings.speaker == "folder" else video.name.rpartition(".")[0]
        refusal = None
        if not tracks:
            why, _, remedy = reasons.get(video.id, "no face is seen in it").partition("; ")
            refusal = why.removeprefix(f"{video.path}: "), remedy or "give videos that show the speaker's face"
        for track in tracks or [FaceTrack(0, np.zeros((0, 68, 3), np.float32), 0, "")]:
            stop = track.first + len(track)
            name = f"{video.name}/frames_{track.first:06d}-{max(stop - 1, 0):06d}.track"
            mark = fingerprint(name, video.fingerprint)
            items.append(
                TrackItem(
                    record_id(name), name, video.path, mark, video.terms, mark, video.name,
                    track.first, stop, track.interpolated, speaker, tracks_path(folder, video), refusal,
                )
            )  # fmt: skip
    return items


@dataclass(frozen=True)
class VideoWork:
    """The work function of the second pass: track in, record written.

    Args:
        settings: of the set.
        records: where records go.
        videos: fingerprint of each video by its name.
        embed: computes speaker embeddings; None for none.
    """

    settings: VideoSettings
    records: Path
    videos: Mapping[str, tuple[str, str]]
    embed: EmbedSpeaker | None

    def __call__(self, item: SourceItem) -> str:
        """Make the record of one track; return its id."""
        if not isinstance(item, TrackItem):
            raise TypeError(f"expected a track, got {type(item).__name__}")
        if item.refusal is not None or item.tracks is None:
            raise NoFaceError(*(item.refusal or ("no face was followed", "look at the video")), item.path)
        seconds = (item.stop - item.first) / VIDEO_RATE
        if seconds < self.settings.shortest:
            found = f"the face is followed for only {seconds:.2f} s from {item.first / VIDEO_RATE:.2f} s on"
            raise NoFaceError(found, f"records need {self.settings.shortest:g} s", item.path)
        mark, sha256 = self.videos[item.video]
        tracks = read_tracks(item.tracks, mark) or []
        track = next((one for one in tracks if one.first == item.first), None)
        if track is None:
            raise VideoError("its tracks are gone", "run the preparation again", item.path)
        record, facts = self._record(item, track)
        source = SpeechSource(item.video, sha256, item.terms)
        tools = {"builder": VERSION, "landmarks": self.settings.landmarks, "measured": facts}
        return write_speech(
            self.records, item.id, record, source=source, fingerprint=item.fingerprint, tools=tools
        ).name

    def _record(self, item: TrackItem, track: FaceTrack) -> tuple[SpeechRecord, dict[str, Any]]:
        samples = sound_of(item.path, item.first, item.stop)
        count = len(samples) // HOP + 1
        motion = face_motion(track.landmarks, count)
        if motion.eye_distance < SMALLEST_FACE:
            found = f"the face is tiny: {motion.eye_distance:.0f} px from eye to eye"
            raise VideoError(found, "use a larger copy of the video", item.path)
        features = features_of(samples, self.embed)
        record = SpeechRecord(
            samples=samples,
            mel=features.mel,
            pitch_bins=features.pitch_bins,
            registered=motion.registered,
            pose=motion.pose,
            static=motion.static,
            voice=item.speaker,
            face=item.speaker,
            sentence=item.video.rpartition(".")[0],
            source=item.terms.attribution or item.video,
            licence=item.terms.licence,
            synthetic=False,
            speaker_embedding=features.speaker_embedding,
            generator_version=VERSION,
        )
        correlation, lag = opening_correlation(record)
        facts = {
            "correlation": round(correlation, 3),
            "lag_ms": lag,
            "interpolated_frames": item.interpolated,
            "eye_distance_px": round(motion.eye_distance, 1),
        }
        return record, facts


def make_video_work(settings: VideoSettings, videos: Mapping[str, tuple[str, str]], records: Path) -> VideoWork:
    """Build the work function; called once in each process."""
    embed: EmbedSpeaker | None = None
    if settings.embedding:
        from lightning_modules.audio.speaker_embedding import embed_speaker

        embed = embed_speaker
    return VideoWork(settings, records, videos, embed)


def prepare_talking_videos(
    source: str | Path,
    destination: str | Path,
    settings: VideoSettings | None = None,
    *,
    licence: str | None = None,
    workers: int | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    make_analyzer: AnalyzerMaker = make_face_analyzer,
) -> PreparationReport:
    """Prepare all videos of a folder into a set of speech records with manifest and report.

    An item of the report is a stretch in which one face is followed. Run again, it works only on what is missing or has
    changed. The records do not depend on the number of processes.

    Args:
        source: a folder, searched with all folders below it, or one video file.
        destination: folder of the prepared set, outside of the source; made if missing.
        settings: what shapes the records; None for the defaults.
        licence: of all videos; None looks for it in the nearest ``SOURCE.md`` above each.
        workers: number of processes; None for one a processor, 0 to work in this process.
        limit: prepare only the first so many videos.
        progress: told after every video, then after every record.
        make_analyzer: builds the face backend in each process, given its name; must be picklable.

    Returns:
        The report, also written as ``report.json`` and ``report.md``.

    Raises:
        VideoError: there is no video in the source.
        OutputError: the destination cannot be written, or is or holds something else.
        PreparedSetError: the destination was prepared with other settings or in another format.
        ConfigError: a setting is out of its range.
        BackendError: the face backend or the extra is not installed.
        KeyboardInterrupt: the user stopped it while faces were followed; tracks that are done stay.
    """
    source, destination = Path(source), Path(destination)
    chosen = settings or VideoSettings()
    if limit is not None and limit < 1:
        raise ConfigError(f"a limit of {limit} videos leaves none", "give a limit of 1 or more")
    workers = checked_workers(workers)
    found = find_files(source, VIDEO_ENDINGS, what="videos", error=VideoError)
    videos: dict[str, tuple[str, str]] = {}

    def plan(facts: Facts) -> tuple[FoundFiles, list[SourceItem]]:
        if not (destination / SET_NAME).exists():
            write_set(destination, SET_KIND, facts)  # before the tracks, or an interrupted run would look foreign
        films = plan_items(found, found.names[:limit], TermsFinder(found.root, licence), facts)
        videos.update({film.name: (film.fingerprint, film.sha256) for film in films})
        folder = destination / TRACKS_NAME
        run = run_items(
            films,
            partial(make_track_work, folder, make_analyzer, chosen.landmarks),
            workers=workers,
            existing=partial(existing_tracks, folder),
            name=lambda film: film.name,
            progress=progress,
        )
        if run.interrupted:
            raise KeyboardInterrupt
        reasons = {films[outcome.index].id: outcome.reason for outcome in run.outcomes if outcome.reason}
        items = plan_tracks(films, folder, reasons, chosen)
        return FoundFiles(found.root, tuple(item.name for item in items), found.passed_over), list(items)

    builder = SetBuilder(
        kind=SET_KIND,
        record_kind=KIND,
        settings={"edition": EDITION, "builder": "videos", **asdict(chosen)},
        tools=lambda: _check_tools(chosen, make_analyzer),
        plan=plan,
        make_work=lambda records: partial(make_video_work, chosen, dict(videos), records),
        findings=video_findings,
    )
    return prepare_set(builder, source, destination, workers=workers, contact_sheets=False, progress=progress)


def _check_tools(settings: VideoSettings, make_analyzer: AnalyzerMaker) -> Facts:
    """Build the backends once, so that what is missing is told before anything is written."""
    facts = {"landmarks": make_analyzer(settings.landmarks).name}
    if settings.embedding:
        from lightning_modules.audio.speaker_embedding import embed_speaker

        try:
            embed_speaker(0.01 * np.sin(np.arange(32000, dtype=np.float32)))
        except BackendError as error:
            raise BackendError(error.found, f"{error.remedy}, or do without (--no-embedding)") from error
    return facts


def video_findings(accepted: Sequence[tuple[SourceItem, Mapping[str, Any]]]) -> Mapping[str, tuple[Entry, ...]]:
    """Return what each record holds, and how its mouth follows its sound."""
    entries = []
    for item, facts in accepted:
        measured = facts["tools"]["measured"]
        text = (
            f"{facts['speech']['seconds']:.2f} s, {measured['interpolated_frames']} frames interpolated, "
            f"{measured['eye_distance_px']:.0f} px from eye to eye, mouth against loudness: correlation "
            f"{measured['correlation']:.2f} at {measured['lag_ms']:+d} ms"
        )
        entries.append(Entry(item.name, text))
    return {"Tracks": tuple(entries)}
