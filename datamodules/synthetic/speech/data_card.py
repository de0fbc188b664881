"""``DATA_CARD.md`` of a set of synthetic speech: what it is, how it was made, and what must not be claimed with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from datamodules.synthetic.speech.clips import CASTS, MOUTH_STYLE, NONSENSE_SHARE

_CARD: Final = """\
# Synthetic speech with known mouth motion

{clips} clips, {hours:.2f} h, {voices} voices, {faces} faces, seed {seed}. Clips by engine: {engines}.

**Everything here is synthetic**; every record says so (`synthetic`).

## How it was made

1. Text: a template grammar over our own word lists, balanced for the pairs of consonant and vowel; {nonsense:.0%} of
   the clips are nonsense syllables that walk through all pairs.
2. Sound: a speech synthesiser that tells when each phone sounds; tempo 0.85–1.2, pitch ±3 semitones. For stops the
   closure is worked out from what each synthesiser marks.
3. Mouth: visemes, blended by dominance (Cohen and Massaro), with closures of the lips in p, b, m and of lip and
   teeth in f, v as constraints; louder vowels open further; in pauses above 0.15 s the mouth closes.
4. Face: a parametric template with proportions of its own, moved by jaw rotation, width, protrusion and lips.
5. Head and lids: a damped random sway, nods at accents, blinks; stored apart (`pose`, `lids`).
6. Recording: level, colour, room, noise, telephone; after the times were known, and without moving them.
7. Errors of a landmark detector in the motion: {errors}.

## What a record holds

`samples` at 16 kHz, log-mel, pitch, speaker embedding ({embedding}), landmarks without head motion, pose, lids, the
face at rest, phones, the seven articulatory parameters, and `closures`: when the lips touch.

## Dividing it

Voices and faces belong to {casts} casts; a voice is only seen with faces of its cast. Hold out a cast, e.g. the faces
`cast-2/*`, and neither its voices nor its faces are seen in training. Texts are drawn anew for every clip.

| cast | hours | faces | voices |
|---|---|---|---|
{table}

## Limits

- **Synthetic.** Sound and motion are made by rules. Figures measured on this set say how well a model has learnt these
  rules; they are no figures about real speech or real people and must not be quoted as such. Report beside them those
  of a still face, of a mouth driven by loudness, and of the rules themselves.
- The prosody is that of speech synthesisers: no emotion, laughter, breath, hesitation or talking over each other.
- English only, read from a small grammar, and nonsense syllables.
- One style of co-articulation for all; targets of visemes are set by hand after phonetics, not measured.
- 68 points see neither tongue nor teeth.
- How a speaker nods, sways, blinks and raises the brows is a fixed random function of the speaker embedding (gains of
  0.5 to 1.5; for jaw and width of the mouth 1 ± {style:g}). It makes style learnable from sound; it is not a finding
  about people. Without embeddings everybody moves like the average speaker.
- No real person was recorded for it; the depth of the faces is that of the mean face of ICT-FaceKit. Fine-tune on real
  recordings before use on real speech.
"""


def data_card(settings: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the card as Markdown.

    Args:
        settings: of the set, as in its ``set.json``.
        rows: the facts ``speech`` of its records: voice, face, seconds.
    """
    by_engine = Counter(str(row["voice"]).partition(":")[0] for row in rows)
    casts = sorted({_cast(row) for row in rows})
    return _CARD.format(
        clips=len(rows),
        hours=sum(float(row["seconds"]) for row in rows) / 3600,
        voices=len({row["voice"] for row in rows}),
        faces=len({row["face"] for row in rows}),
        seed=settings.get("seed"),
        engines=", ".join(f"{name} {count}" for name, count in sorted(by_engine.items())),
        nonsense=NONSENSE_SHARE,
        errors="added" if settings.get("detector_errors") else "none",
        embedding="computed" if settings.get("embedding") else "none",
        casts=CASTS,
        table="\n".join(_line(cast, [row for row in rows if _cast(row) == cast]) for cast in casts),
        style=MOUTH_STYLE / 2,
    )


def _cast(row: Mapping[str, Any]) -> str:
    return str(row["face"]).partition("/")[0]


def _line(cast: str, rows: Sequence[Mapping[str, Any]]) -> str:
    hours = sum(float(row["seconds"]) for row in rows) / 3600
    voices = ", ".join(sorted({str(row["voice"]) for row in rows}))
    return f"| {cast} | {hours:.2f} | {len({row['face'] for row in rows})} | {voices} |"
