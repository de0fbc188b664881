"""Text, the built-in voice, flite and espeak-ng where they are installed, and conditions of recordings."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from datamodules.synthetic.speech import espeak_voice
from datamodules.synthetic.speech.augmentation import Recording, record, sample_recording
from datamodules.synthetic.speech.espeak_voice import EspeakEvent, utterance_of
from datamodules.synthetic.speech.phones import segment_with_burst
from datamodules.synthetic.speech.text import sentence, syllables
from datamodules.synthetic.speech.tiny_voice import TinyVoice
from datamodules.synthetic.speech.visemes import VISEMES, VisemeTable
from datamodules.synthetic.speech.voices import Manner, make_voice, voice_names
from lightning_modules.errors import BackendError, ConfigError

RATE = 16000


def level(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12)


def part(sound, span):
    return sound[round(span[0] * RATE) : round(span[1] * RATE)]


def test_sentences_depend_on_seed_and_position_alone():
    assert sentence(3, 5) == sentence(3, 5)
    several = [sentence(0, index) for index in range(300)]
    assert len(set(several)) > 250
    assert not any("{" in text or "}" in text for text in several)
    assert all(text[0].isupper() and text[-1] in ".?!" and 2 <= len(text.split()) <= 22 for text in several)
    first = "".join(word[0].lower() for text in several for word in text.split())
    assert min(first.count(letter) for letter in "pbmfvw") > 20


def test_syllables_walk_through_all_pairs():
    pieces = [syllables(1, index, 10) for index in range(33)]
    table = VisemeTable()
    pairs = set()
    for piece in pieces:
        assert piece[0] == piece[-1] == "pau"
        pairs |= {pair for pair in itertools.pairwise(piece) if VISEMES[table.names_of(pair[1])[0][0]].vowel}
    assert len(pairs) == 22 * 15


def test_the_tiny_voice_says_what_it_is_given():
    sound, said = TinyVoice(pitch=120).say(("pau", "aa", "p", "aa", "s", "iy", "m", "aa", "pau"), seed=4)
    again, _ = TinyVoice(pitch=120).say(("pau", "aa", "p", "aa", "s", "iy", "m", "aa", "pau"), seed=4)
    np.testing.assert_array_equal(sound, again)
    assert sound.dtype == np.float32
    assert np.abs(sound).max() <= 0.71
    assert len(sound) == round(said.duration * RATE)
    phones = {phone.label: phone for phone in said.phones}
    loud = level(part(sound, (said.phones[3].start, said.phones[3].end)))
    assert level(part(sound, phones["p"].closure)) < loud - 12, "the closure of p is quiet"
    assert level(part(sound, (said.phones[0].start, said.phones[0].end - 0.02))) < loud - 25
    assert loud - 20 < level(part(sound, phones["m"].closure)) < loud


def centroid(sound):
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    return float(np.sum(power * np.fft.rfftfreq(len(sound), 1 / RATE)) / power.sum())


def test_the_tiny_voice_has_formants_pitch_and_hiss():
    def middle(label, voice):
        sound, said = voice.say((label,) * 3, seed=1)
        return part(sound, (said.phones[1].start, said.phones[1].end))

    man = TinyVoice(pitch=100)
    assert centroid(middle("aa", man)) > centroid(middle("uw", man)) + 150
    assert centroid(middle("s", man)) > 4000 > centroid(middle("sh", man)) > 2500
    vowel = middle("aa", man)
    correlation = np.correlate(vowel, vowel, "full")[len(vowel) :]
    assert RATE / (100 * 1.2) < 111 + np.argmax(correlation[110:230]) < RATE / (100 * 0.85)
    spectrum = np.abs(np.fft.rfft(vowel * np.hanning(len(vowel))))
    hertz = np.fft.rfftfreq(len(vowel), 1 / RATE)
    assert 550 < hertz[np.argmax(np.where(hertz > 350, spectrum, 0))] < 1250, "F1 730, F2 1090"
    with pytest.raises(ValueError, match="unknown phones"):
        man.say(("aa", "qq"))


def test_names_of_voices():
    assert make_voice("tiny:205:0.86").name == "tiny:205:0.86"
    assert voice_names(["tiny"])[0].startswith("tiny:")
    assert voice_names(["tiny:120:1", "tiny"]).count("tiny:120:1") == 1
    for wrong in ("", "loud:x", "tiny:", "tiny:high"):
        with pytest.raises(ConfigError):
            make_voice(wrong)
    with pytest.raises(ConfigError, match="no voice"):
        voice_names([])


def test_the_tiny_voice_reads_nonsense_for_a_text():
    spoken = make_voice("tiny:120:1").say("Bob put my map there.", Manner(tempo=1.2, pitch=3, seed=5))
    assert len(spoken.utterance.phones) >= 12
    slow = make_voice("tiny:120:1").say("Bob put my map there.", Manner(tempo=0.8, seed=5))
    assert slow.utterance.duration == pytest.approx(1.5 * spoken.utterance.duration, rel=1e-6)


def test_missing_engines_say_how_to_install_them(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BackendError, match=r"flite is not installed; install it .*apt-get install flite"):
        voice_names(["flite"])
    espeak_voice._check_library.cache_clear()
    answer = SimpleNamespace(stdout=b'{"error": "library"}\n')
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(BackendError, match=r"not installed; install it .*apt-get install espeak-ng"):
        voice_names(["espeak"])
    espeak_voice._check_library.cache_clear()


def test_closures_from_the_events_of_espeak():
    """Reference 19.1: p at 172 ms was silent from 130 to 172; b at 432 had its voicing bar from there."""
    events = [(0.0, None), (0.05, "a"), (0.172, "p"), (0.2, "ɪ"), (0.3, None), (0.432, "b"), (0.5, "iː"), (0.6, "m")]
    events += [(0.7, None), (0.74, "t"), (0.76, "ɑː"), (0.9, "")]
    said = utterance_of([EspeakEvent(*event) for event in events], 1.0)
    phones = {phone.label: phone for phone in said.phones}
    assert phones["p"].closure == pytest.approx((0.117, 0.172))
    assert phones["p"].start == pytest.approx(0.117) == phones["a"].end
    assert phones["b"].closure == pytest.approx((0.432, 0.432 + 0.8 * 0.068))
    assert phones["m"].closure == pytest.approx((0.6, 0.7 if "t" not in phones else phones["t"].start))
    assert phones["t"].closure == pytest.approx((0.7, 0.74)), "not before its word begins"
    assert said.phones[-1].label == "pau"
    assert said.phones[-1].end == 1.0
    assert all(a.end == pytest.approx(b.start) for a, b in itertools.pairwise(said.phones))


def test_closures_of_segments_with_a_burst():
    assert segment_with_burst("p", 1.0, 1.08) == pytest.approx((1.0, 1.06))
    assert segment_with_burst("m", 1.0, 1.08) == (1.0, 1.08)
    assert segment_with_burst("b", 1.0, 1.034) == pytest.approx((1.0, 1.03))
    assert segment_with_burst("aa", 1.0, 1.08) is None


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
@pytest.mark.parametrize("name", ["flite:slt", "flite:kal16@0.9"])
def test_flite(name):
    manner = Manner(tempo=1.1, pitch=2)
    spoken, again = (make_voice(name).say("Bob put my map on the beam.", manner) for _ in range(2))
    np.testing.assert_array_equal(spoken.samples, again.samples)
    assert abs(len(spoken.samples) / RATE - spoken.utterance.duration) < 0.01
    assert [phone.label for phone in spoken.utterance.phones if phone.label in "pbm"] == list("bbpmmpbm")
    stops = [level(part(spoken.samples, phone.closure)) for phone in spoken.utterance.phones if phone.label == "p"]
    assert np.mean(stops) < level(spoken.samples) - 5
    said = make_voice(name).say_phones(("pau", "b", "aa", "sh", "uw", "pau"), Manner()).utterance.phones
    assert [phone.label for phone in said] == ["pau", "b", "aa", "sh", "uw", "pau"]
    slow = make_voice(name).say("Bob put my map on the beam.", Manner(tempo=0.8)).utterance.duration
    assert slow > 1.25 * spoken.utterance.duration


def espeak_is_here():
    try:
        make_voice("espeak:en")
    except BackendError:
        return False
    return True


@pytest.mark.skipif(not espeak_is_here(), reason="espeak-ng is not installed")
def test_espeak():
    spoken, again = (make_voice("espeak:en-us+f3").say("Bob put my map on.", Manner(pitch=2)) for _ in range(2))
    np.testing.assert_array_equal(spoken.samples, again.samples)
    labels = [phone.label for phone in spoken.utterance.phones]
    assert [label for label in labels if label in {"p", "b", "m"}] == ["b", "b", "p", "m", "m", "p"]
    quiet = [level(part(spoken.samples, phone.closure)) for phone in spoken.utterance.phones if phone.label == "p"]
    assert np.mean(quiet) < level(spoken.samples) - 5
    table = VisemeTable()
    table.segments(spoken.utterance)
    assert not table.unknown
    said = make_voice("espeak:en").say_phones(("pau", "b", "aa", "sh", "uw", "pau"), Manner()).utterance.phones
    assert [label for phone in said if (label := phone.label) != "pau"] == ["b", "ɑ", "ʃ", "u"]
    with pytest.raises(BackendError, match="knows no voice"):
        voice_names(["espeak:nowhere"])


def sound(seconds=1.0):
    return TinyVoice().say(syllables(0, 0, max(2, int(seconds * 4))), seed=0)[0]


def test_recordings_reach_their_level_and_keep_length_and_time():
    clean = sound()
    for conditions in (Recording(), Recording(-28, 4, 0.3, 20.0), Recording(-24, -4, telephone=True)):
        taken = record(clean, conditions, seed=3)
        np.testing.assert_array_equal(taken, record(clean, conditions, seed=3))
        assert taken.shape == clean.shape
        assert taken.dtype == np.float32
        assert np.abs(taken).max() <= 1
        assert level(taken) == pytest.approx(conditions.level, abs=0.1)
    click = np.zeros(8000, np.float32)
    click[3000] = 0.5
    for conditions in (Recording(tilt=5), Recording(reverberation=0.4), Recording(noise=30.0)):
        assert np.argmax(np.abs(record(click, conditions, 0))) == 3000


def test_noise_tilt_and_telephone_are_as_asked_for():
    clean = sound(2)
    still = record(clean, Recording(noise=None), 1)
    noisy = record(clean, Recording(noise=10.0), 1)
    scale = float(still @ noisy / (still @ still))
    assert level(scale * still) - level(noisy - scale * still) == pytest.approx(10.0, abs=0.3)
    white = np.random.default_rng(0).standard_normal(32000).astype(np.float32) * 0.05

    def band(samples, low, high):
        power = np.abs(np.fft.rfft(samples)) ** 2
        hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
        return 10 * np.log10(power[(hertz > low) & (hertz < high)].mean())

    tilted = record(white, Recording(tilt=-3.0), 0)
    assert band(tilted, 1900, 2100) - band(tilted, 3800, 4200) == pytest.approx(3.0, abs=0.8)
    narrow = record(white, Recording(telephone=True), 0)
    assert band(narrow, 1000, 2000) - band(narrow, 5500, 6500) > 20
    assert level(record(np.zeros(4000, np.float32), Recording(), 0)) < -100


def test_conditions_vary():
    drawn = [sample_recording(np.random.default_rng(seed)) for seed in range(200)]
    assert 0.25 < np.mean([one.noise is None for one in drawn]) < 0.75
    assert all(-30 <= one.level <= -12 and -6 <= one.tilt <= 6 for one in drawn)
    assert any(one.telephone for one in drawn)
    assert any(one.reverberation > 0.1 for one in drawn)
