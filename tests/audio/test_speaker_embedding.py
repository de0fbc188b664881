"""The voice as 256 numbers: what Resemblyzer 0.1.4 gives, odd recordings, and what is kept.

speaker_golden.npz was written with that package itself: ``embed_utterance(..., rate=2)`` of ``spoken`` (its whole
windows of 30 ms), of nothing, and of the demo after ``preprocess_wav``; and frames of its spectrogram of ``spoken``.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_modules.audio import speaker_embedding
from lightning_modules.audio.loudness import normalize_loudness
from lightning_modules.audio.speaker_embedding import embed_speaker, load_speaker_encoder, part_starts
from lightning_modules.audio.speaker_mel import speaker_mel
from lightning_modules.audio.voice_activity import Voice, find_voice, smooth_decisions
from lightning_modules.errors import BackendError, WeightsError
from lightning_modules.networks.speaker_encoder import SpeakerEncoder

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("resemblyzer") is None, reason="the package with the weights is not installed"
)
needs_webrtc = pytest.mark.skipif(
    importlib.util.find_spec("webrtcvad") is None, reason="webrtcvad is not installed (extra paper)"
)


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).with_name("speaker_golden.npz"), allow_pickle=False) as stored:
        return dict(stored)


@pytest.fixture(autouse=True)
def _nothing_in_memory():
    speaker_embedding._memory.clear()


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    t = np.arange(64000) / 16000
    phase = 2 * np.pi * np.cumsum(120 + 25 * np.sin(2 * np.pi * 0.7 * t)) / 16000
    x = 0.2 * sum(np.sin(k * phase + k * k) / k for k in range(1, 20)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))
    x[20000:28000] = 0
    return x.astype(np.float32)


def all_of(samples: np.ndarray) -> Voice:
    return Voice(samples, np.ones(len(samples) // 480, bool))


@needs_weights
def test_golden_values(golden, spoken):
    for name, samples in (("signal", spoken), ("silence", spoken[:0])):
        voice = all_of(samples)
        made = speaker_embedding._embed(voice, 0, len(voice))
        assert made.dtype == np.float32
        np.testing.assert_allclose(made, golden[name], atol=1e-5)
    np.testing.assert_allclose(embed_speaker(np.zeros(20000, np.float32)), golden["silence"], atol=1e-5)


@needs_weights
@needs_webrtc
def test_the_published_manner(golden, demo_speech):
    made = embed_speaker(demo_speech.samples, "published")
    np.testing.assert_allclose(made, golden["demo_published"], atol=1e-5)


@needs_weights
def test_our_voice_detector_makes_little_difference(golden, demo_speech):
    made = embed_speaker(demo_speech.samples)
    assert made @ golden["demo_published"] > 0.99
    assert made @ golden["signal"] < 0.7, "another voice is elsewhere"


@needs_weights
def test_an_embedding_is_a_direction(spoken, demo_speech):
    before = demo_speech.samples.copy()
    made = embed_speaker(demo_speech.samples)
    np.testing.assert_array_equal(demo_speech.samples, before)
    assert made.shape == (256,)
    assert made.dtype == np.float32
    assert (made >= 0).all()
    assert np.linalg.norm(made) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(embed_speaker(demo_speech.samples.astype(np.float64)), made, atol=1e-5)


def test_the_spectrogram(golden, spoken):
    mel = speaker_mel(np.pad(spoken, 200))
    assert mel.shape == (401, 40)
    np.testing.assert_allclose(mel[[0, 1, 100, 200, 400]], golden["mel_frames"], rtol=1e-4, atol=1e-6)


def test_the_network_by_hand():
    """One unit more or less everywhere, step by step with NumPy."""
    torch.manual_seed(0)
    network = SpeakerEncoder(bands=3, hidden=4, layers=2, embedding=5).double()
    mel = np.random.default_rng(0).random((2, 6, 3))
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    sequence = mel
    for layer in range(2):
        w, u = weights[f"lstm.weight_ih_l{layer}"], weights[f"lstm.weight_hh_l{layer}"]
        bias = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
        h = c = np.zeros((2, 4))
        outputs = []
        for t in range(6):
            i, f, g, o = np.split(sequence[:, t] @ w.T + h @ u.T + bias, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        sequence = np.stack(outputs, axis=1)
    made = np.maximum(0.0, sequence[:, -1] @ weights["linear.weight"].T + weights["linear.bias"])
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    np.testing.assert_allclose(network(torch.from_numpy(mel)).detach().numpy(), made, atol=1e-12)
    assert sum(p.numel() for p in SpeakerEncoder().parameters()) == 1_423_616
    with torch.no_grad():
        network.linear.bias.fill_(-100.0)
    assert not network(torch.from_numpy(mel)).any(), "no division by zero where every unit is off"
    for shape in ((2, 6, 4), (6, 3), (2, 0, 3)):
        with pytest.raises(ValueError, match="mel must be"):
            network(torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (0, [0]),
        (1600, [0]),
        (25600, [0]),
        # 27200 samples are 171 frames: starts below 62; the second part begins at 8000 and holds 19200: just 75 %
        (27200, [0, 50]),
        (27199, [0]),
        (64000, [0, 50, 100, 150, 200, 250]),
    ],
)
def test_where_parts_begin(samples, expected):
    assert part_starts(samples) == expected


@needs_weights
def test_a_long_recording_is_sampled_evenly(monkeypatch, spoken):
    long = np.resize(spoken, 12 * 64000)
    voice = all_of(long)
    every = speaker_embedding._embed(voice, 0, len(voice))
    some = speaker_embedding._embed(voice, 0, len(voice), 8)
    assert every @ some > 0.98
    asked = []
    network = load_speaker_encoder()
    monkeypatch.setattr(
        speaker_embedding, "load_speaker_encoder", lambda: lambda mel: asked.append(len(mel)) or network(mel)
    )
    embed_speaker(long)
    assert sum(asked) == 64
    assert max(asked) <= 32


@needs_weights
def test_the_published_minutes(monkeypatch, spoken):
    """Three and a half pieces: the half is left out, and the mean of the three is not normalised again."""
    monkeypatch.setattr(speaker_embedding, "_PUBLISHED_PIECE", 19200)
    rng = np.random.default_rng(0)
    samples = np.concatenate([spoken[:19200], 0.1 * rng.standard_normal(19200), spoken[38400:57600], spoken[:9600]])
    samples = samples.astype(np.float32)
    pieces = [speaker_embedding._embed(all_of(samples[k : k + 19200]), 0, 19200) for k in (0, 19200, 38400)]
    made = speaker_embedding._embed_published(all_of(samples))
    np.testing.assert_allclose(made, np.mean(pieces, axis=0), atol=1e-6)
    assert np.linalg.norm(made) < 0.999
    short = speaker_embedding._embed_published(all_of(samples[:9600]))
    np.testing.assert_allclose(short, speaker_embedding._embed(all_of(samples[:9600]), 0, 9600))


@needs_weights
def test_it_is_made_once(monkeypatch, tmp_path, spoken):
    first = embed_speaker(spoken, folder=tmp_path)
    (stored,) = tmp_path.iterdir()
    monkeypatch.setattr(speaker_embedding, "find_voice", None)  # whoever computes now fails
    np.testing.assert_array_equal(embed_speaker(spoken.copy()), first)
    speaker_embedding._memory.clear()
    np.testing.assert_array_equal(embed_speaker(spoken, folder=tmp_path), first)
    with pytest.raises(TypeError):
        embed_speaker(spoken[1:], folder=tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0
    monkeypatch.undo()
    for damage in (b"", stored.read_bytes()[:200], b"\x93NUMPY nonsense"):
        speaker_embedding._memory.clear()
        stored.write_bytes(damage)
        np.testing.assert_array_equal(embed_speaker(spoken, folder=tmp_path), first)
        assert len(stored.read_bytes()) > 1000
    np.save(stored, np.full(256, np.nan, np.float32))
    speaker_embedding._memory.clear()
    np.testing.assert_array_equal(embed_speaker(spoken, folder=tmp_path), first)


@needs_weights
def test_only_so_many_are_kept(monkeypatch, tmp_path, spoken):
    monkeypatch.setattr(speaker_embedding, "_KEPT_IN_FOLDER", 3)
    monkeypatch.setattr(speaker_embedding, "_KEPT_IN_MEMORY", 2)
    (tmp_path / "other.npy").write_bytes(b"of somebody else")
    for count in range(5):
        embed_speaker(spoken[: 4800 + count], folder=tmp_path)
    assert len(list(tmp_path.glob("speaker-*.npy"))) == 3
    assert (tmp_path / "other.npy").exists()
    assert len(speaker_embedding._memory) == 2
    blocked = tmp_path / "other.npy" / "inside"
    assert embed_speaker(spoken[:6000], folder=blocked).shape == (256,), "a cache that cannot be written is none"


@pytest.mark.parametrize("bad", [np.zeros(0), np.zeros((2, 5)), np.zeros(9, np.int16), np.array([0.0, np.nan])])
def test_what_is_no_recording(bad):
    with pytest.raises(ValueError, match="speech"):
        embed_speaker(bad)


def test_a_manner_that_is_not_known(spoken):
    with pytest.raises(ValueError, match="default or published"):
        embed_speaker(spoken, "loud")
    with pytest.raises(ValueError, match="energy or webrtc"):
        find_voice(spoken, "loud")


def test_missing_packages_are_named(monkeypatch, spoken):
    monkeypatch.setattr(speaker_embedding, "locate", lambda _: None)
    load_speaker_encoder.cache_clear()
    with pytest.raises(BackendError, match="--no-deps resemblyzer"):
        embed_speaker(spoken)
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(BackendError, match="energy"):
        embed_speaker(spoken, "published")


def test_other_weights_are_refused(monkeypatch, tmp_path):
    path = tmp_path / "pretrained.pt"
    torch.save({"weights": torch.zeros(3)}, path)
    monkeypatch.setattr(speaker_embedding, "locate", lambda _: path)
    monkeypatch.setattr(speaker_embedding, "require_weight", lambda _: path)
    load_speaker_encoder.cache_clear()
    with pytest.raises(WeightsError, match="not the weights"):
        load_speaker_encoder()


def test_decisions_are_smoothed():
    voiced = np.zeros(40, bool)
    voiced[10:15] = True  # five windows: a majority of eight only where all of them are among the eight
    # Windows 10 to 13 see 7-14 to 10-17, which hold all five; widened by three.
    assert np.flatnonzero(smooth_decisions(voiced)).tolist() == list(range(7, 17))
    voiced[14] = False
    assert not smooth_decisions(voiced).any(), "four of eight are no majority"
    assert smooth_decisions(np.ones(8, bool)).all()
    assert smooth_decisions(np.zeros(0, bool)).shape == (0,)


def test_voice_is_found_by_its_energy():
    rng = np.random.default_rng(0)
    samples = 0.0005 * rng.standard_normal(10 * 16000)
    samples[48000:96000] += 0.1 * np.sin(2 * np.pi * 150 * np.arange(48000) / 16000)
    voice = find_voice(samples.astype(np.float32))
    assert 48000 <= len(voice) <= 48000 + 10 * 480
    assert len(find_voice(samples[:48000])) == 48000, "where there is only background, all of it counts"
    assert len(find_voice(np.zeros(4800))) == 4800
    assert len(find_voice(np.zeros(100))) == 0
    offset = find_voice((samples + 0.5).astype(np.float32))
    assert abs(len(offset) - len(voice)) <= 480


def test_joined_parts():
    samples = np.arange(480 * 5 + 7, dtype=np.float32)
    voice = Voice(samples, np.array([False, True, False, True, True]), 2.0)
    joined = 2.0 * np.concatenate([samples[480:960], samples[1440:2400]])
    assert len(voice) == 1440
    for begin, end in ((0, 1440), (100, 200), (470, 490), (960, 1440), (5, 5)):
        np.testing.assert_array_equal(voice.part(begin, end), joined[begin:end])
    np.testing.assert_array_equal(voice.part(-3, 2), [0, 0, 0, joined[0], joined[1]])
    np.testing.assert_array_equal(voice.part(1439, 1442), [joined[-1], 0, 0])
    assert not voice.part(2000, 2100).any()


@needs_weights
def test_level_matters_and_loudness_is_therefore_brought_to_one(spoken):
    loud, quiet = embed_speaker(spoken), embed_speaker(spoken * np.float32(0.3))
    assert loud @ quiet < 0.999
    one, other = (embed_speaker(normalize_loudness(spoken * np.float32(gain))) for gain in (1.0, 0.3))
    assert one @ other > 0.999
