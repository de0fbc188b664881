"""Speech records as part of a prepared set, whoever prepared it.

A record is the folder ``<set>/records/<id>/`` (see :mod:`datamodules.prepare.record_folder`) with ``speech.npz``
(:mod:`datamodules.prepare.speech_record`) and ``record.json``: ``kind`` is ``"speech"``; ``source`` (name, sha256,
licence, attribution); ``speech``: voice, face, sentence, synthetic, frames, seconds, whether there are an embedding,
phones and blinks; ``tools``; ``fingerprint``. What a data module has to know to divide a set is in the facts, so that
no sound is read for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from datamodules.prepare.manifest import RECORDS_NAME, read_manifest
from datamodules.prepare.record_folder import FACTS_NAME, read_facts, read_file, write_record
from datamodules.prepare.sources import Terms
from datamodules.prepare.speech_record import SpeechRecord, decode_speech_record, encode_speech_record
from lightning_modules.errors import PreparedSetError

KIND: Final = "speech"
SET_KIND: Final = "speech"
FILE_NAME: Final = "speech.npz"


@dataclass(frozen=True)
class SpeechSource:
    """Where a record comes from.

    Attributes:
        name: of the recording, relative to the folder that was prepared, with ``/``; for synthetic speech, what was
            asked for.
        sha256: of the file's bytes; empty for synthetic speech.
        terms: licence and attribution.
    """

    name: str
    sha256: str
    terms: Terms


@dataclass(frozen=True)
class SpeechEntry:
    """What the facts of a record say about it.

    Attributes:
        id: name of the record.
        folder: of the record.
        voice: who speaks.
        face: whose landmarks.
        sentence: what is said, or the take.
        synthetic: whether sound or motion was made by a rule.
        frames: number of frames T.
        embedding: whether the record has a speaker embedding.
    """

    id: str
    folder: Path
    voice: str
    face: str
    sentence: str
    synthetic: bool
    frames: int
    embedding: bool


def write_speech(
    records: Path,
    record_id: str,
    record: SpeechRecord,
    *,
    source: SpeechSource,
    fingerprint: str,
    tools: Mapping[str, Any],
) -> Path:
    """Write a record as ``records/<record_id>``: whole, or not at all.

    Args:
        records: the ``records`` folder of the set.
        record_id: name of the record.
        record: what to write.
        source: where it comes from.
        fingerprint: of everything that shaped it, see :func:`datamodules.prepare.prepared_set.fingerprint`.
        tools: names and settings of what made it, JSON values.

    Returns:
        The folder of the record.

    Raises:
        OutputError: the disk refuses.
    """
    facts = {
        "fingerprint": fingerprint,
        "source": {
            "name": source.name,
            "sha256": source.sha256,
            "licence": source.terms.licence,
            "attribution": source.terms.attribution,
        },
        "speech": {
            "voice": record.voice,
            "face": record.face,
            "sentence": record.sentence,
            "synthetic": record.synthetic,
            "frames": len(record),
            "seconds": round(record.duration, 3),
            "embedding": record.speaker_embedding is not None,
            "phones": bool(record.phones),
            "blinks_apart": record.lids is not None,
        },
        "tools": dict(tools),
    }
    return write_record(records, record_id, KIND, {FILE_NAME: encode_speech_record(record)}, facts)


def read_speech(folder: Path) -> SpeechRecord:
    """Read one record and check its file against its hash.

    Raises:
        PreparedSetError: something is missing, changed, of another format or does not fit together.
    """
    facts = read_facts(folder, KIND)
    return decode_speech_record(read_file(folder, facts, FILE_NAME), folder / FILE_NAME)


def speech_entries(destination: Path) -> tuple[SpeechEntry, ...]:
    """List the records of a prepared set, in the order of its manifest, without reading their sound.

    Raises:
        PreparedSetError: there is no prepared set of speech, or a record is damaged.
    """
    rows = read_manifest(destination)
    return tuple(_entry(destination / RECORDS_NAME / row["id"]) for row in rows)


def _entry(folder: Path) -> SpeechEntry:
    facts = read_facts(folder, KIND)
    try:
        speech = facts["speech"]
        return SpeechEntry(
            id=folder.name,
            folder=folder,
            voice=str(speech["voice"]),
            face=str(speech["face"]),
            sentence=str(speech["sentence"]),
            synthetic=bool(speech["synthetic"]),
            frames=int(speech["frames"]),
            embedding=bool(speech["embedding"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        found = f"lacks or garbles a fact of a recording ({type(error).__name__}: {error})"
        remedy = "delete this folder and run the preparation again; it makes what is missing"
        raise PreparedSetError(found, remedy, folder / FACTS_NAME) from error
