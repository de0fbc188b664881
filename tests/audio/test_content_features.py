"""What the landmark networks hear: standardised log-mels, said by oneself or by the voice-conversion network."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lightning_modules.audio.content_features import AutoVCContent, MelContent, Standardization
from lightning_modules.audio.fundamental_frequency import make_fundamental_frequency, quantize_pitch
from lightning_modules.audio.log_mel import log_mel
from lightning_modules.audio.loudness import normalize_loudness
from lightning_modules.networks.autovc import AutoVC

PLAIN = Standardization(np.zeros(80), np.ones(80))
TARGET = np.eye(256)[3]


class Recorder(torch.nn.Module):
    """Stands in for the network: keeps what it is given, and answers with the log-mel plus ``added``."""

    def __init__(self, added=0.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.added, self.calls = added, []

    def forward(self, mel, source, target, classes):
        self.calls.append(SimpleNamespace(mel=mel, source=source, target=target, classes=classes))
        return SimpleNamespace(mel_post=mel + self.added * len(self.calls))


def content(network, manner="default", standardization=PLAIN, embed=lambda _: np.eye(256, dtype=np.float32)[7]):
    return AutoVCContent(network, standardization, TARGET, make_fundamental_frequency("nccf", "F"), embed, manner)


def test_the_mel_is_that_of_the_normalised_recording(published_signal):
    rng = np.random.default_rng(0)
    mean, deviation = rng.random(80), 0.1 + rng.random(80)
    before = published_signal.copy()
    made = MelContent(Standardization(mean, deviation))(published_signal)
    np.testing.assert_array_equal(published_signal, before)
    expected = (log_mel(normalize_loudness(published_signal)) - mean) / deviation
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, atol=1e-5)
    half, whole = MelContent(PLAIN)(0.5 * published_signal), MelContent(PLAIN)(published_signal)
    audible = whole > 0.35  # below it is what rounding to 16 bits adds
    np.testing.assert_allclose(half[audible], whole[audible], atol=0.01)


@pytest.mark.parametrize("manner", ["default", "published"])
def test_what_the_network_is_given(published_signal, manner):
    heard = []
    network = Recorder()
    made = content(network, manner, embed=lambda x: heard.append(x) or np.eye(256, dtype=np.float32)[7])
    standardised = made(published_signal)
    normalised = normalize_loudness(published_signal)
    mel = log_mel(normalised)
    np.testing.assert_array_equal(heard[0], normalised)
    np.testing.assert_array_equal(standardised, mel)
    (call,) = network.calls
    assert call.mel.shape == (1, 96, 80)
    assert call.classes.shape == (1, 96, 257)
    np.testing.assert_array_equal(call.mel[0, :94], mel)
    bins = quantize_pitch(make_fundamental_frequency("nccf", "F")(normalised))
    np.testing.assert_array_equal(call.classes[0, :94].argmax(dim=1), bins)
    assert (call.classes[0, :94].sum(dim=1) == 1).all()
    assert call.source[0, 7] == call.target[0, 3] == 1
    # What fills up: published zeros and no class at all; else silence without voice.
    fill = 0.0 if manner == "published" else -0.16
    np.testing.assert_allclose(call.mel[0, 94:], fill)
    assert (call.classes[0, 94:].sum(dim=1) == (0 if manner == "published" else 1)).all()
    assert (call.classes[0, 94:, 0] == (0 if manner == "published" else 1)).all()


def test_published_chunks_stand_side_by_side():
    frames = 4096 + 50
    network = Recorder(added=10.0)
    mel = np.random.default_rng(0).random((frames, 80)).astype(np.float32)
    before = mel.copy()
    made = content(network, "published").revoice_mel(mel, np.zeros(frames, np.int64), np.zeros(256, np.float32))
    np.testing.assert_array_equal(mel, before)
    assert [call.mel.shape[1] for call in network.calls] == [4096, 64]
    np.testing.assert_allclose(made[:4096] - mel[:4096], 10.0, rtol=1e-5)
    np.testing.assert_allclose(made[4096:] - mel[4096:], 20.0, rtol=1e-5)


@pytest.mark.parametrize(("frames", "chunks"), [(4096, 1), (4097, 2), (7936, 2), (7937, 3), (13000, 4)])
def test_chunks_are_full_and_fade_into_each_other(frames, chunks):
    network = Recorder(added=1.0)
    mel = np.zeros((frames, 80), np.float32)
    made = content(network).revoice_mel(mel, np.zeros(frames, np.int16), np.zeros(256, np.float32))
    assert [call.mel.shape[1] for call in network.calls] == [4096] * chunks
    assert (made == made[:, :1]).all()
    levels = made[:, 0]
    assert (np.diff(levels) >= 0).all(), "from each chunk to the next, never back"
    assert np.diff(levels).max(initial=0.0) < 0.02, "no seam: a raised cosine over 128 frames"
    assert levels[0] == 1.0
    assert levels[-1] == chunks
    edges = np.flatnonzero((np.diff(levels) > 0) & (levels[:-1] == np.round(levels[:-1])))
    starts = np.rint(np.linspace(0, frames - 4096, chunks))
    # A fade begins at least 64 frames after its chunk does, where the network has found its feet.
    assert len(edges) == chunks - 1
    assert (edges - starts[1:] >= 62).all()


def test_with_the_network_itself(published_signal):
    torch.manual_seed(0)
    network = AutoVC(width=32, decoder_width=32).eval()
    made = content(network, "published")(published_signal)
    assert made.shape == (94, 80)
    mel = log_mel(normalize_loudness(published_signal))
    filled = torch.zeros(1, 96, 80)
    filled[0, :94] = torch.from_numpy(mel)
    classes = torch.zeros(1, 96, 257)
    pitch = quantize_pitch(make_fundamental_frequency("nccf", "F")(normalize_loudness(published_signal)))
    classes[0, torch.arange(94), torch.from_numpy(pitch)] = 1.0
    with torch.no_grad():
        expected = network(filled, torch.eye(256)[7:8], torch.eye(256)[3:4], classes).mel_post
    np.testing.assert_allclose(made, expected[0, :94], atol=1e-6)


@pytest.mark.parametrize(
    ("mean", "deviation"),
    [
        (np.zeros(79), np.ones(80)),
        (np.zeros(80), np.ones(1)),
        (np.full(80, np.nan), np.ones(80)),
        (np.zeros(80), np.zeros(80)),
        (np.zeros(80), -np.ones(80)),
    ],
)
def test_statistics_that_cannot_be(mean, deviation):
    with pytest.raises(ValueError, match="deviation"):
        Standardization(mean, deviation)


def test_what_does_not_go_together():
    with pytest.raises(ValueError, match="manner"):
        content(Recorder(), "loud")
    with pytest.raises(ValueError, match="256"):
        AutoVCContent(Recorder(), PLAIN, np.zeros(3), make_fundamental_frequency(), lambda _: None)
    revoice = content(Recorder()).revoice_mel
    speaker = np.zeros(256, np.float32)
    for mel, bins, voice in (
        (np.zeros((5, 79), np.float32), np.zeros(5, int), speaker),
        (np.zeros((5, 80), np.float32), np.zeros(4, int), speaker),
        (np.zeros((0, 80), np.float32), np.zeros(0, int), speaker),
        (np.zeros((5, 80), np.float32), np.zeros(5, int), speaker[:3]),
    ):
        with pytest.raises(ValueError, match="not"):
            revoice(mel, bins, voice)
