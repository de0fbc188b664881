"""The portrait and the sentence that come with the package; their licences are in ``LICENCES.md`` beside them."""

from __future__ import annotations

from pathlib import Path

#: A synthetic face; nobody real.
DEMO_PHOTO = Path(__file__).with_name("portrait.jpg")
#: A synthetic voice.
DEMO_SPEECH = Path(__file__).with_name("speech.flac")
