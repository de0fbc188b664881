"""The benchmark's published side does the work of the published driver, only in another order."""

from __future__ import annotations

import numpy as np
from landmark_models import seeded_model

from experiments.benchmarks import published_landmark_order, speech_to_landmarks
from experiments.benchmarks.published_landmark_order import inverted, published_order
from lightning_modules.audio.published_motion import inner_lip_area
from lightning_modules.pipeline import landmark_driver_published
from lightning_modules.pipeline.landmark_driver_published import PublishedLandmarkDriver


def test_both_orders_of_work_give_the_same_landmarks(monkeypatch):
    embedding = np.random.default_rng(0).random(256).astype(np.float32)
    monkeypatch.setattr(published_landmark_order, "embed_speaker", lambda _: embedding)
    monkeypatch.setattr(landmark_driver_published, "embed_speaker", lambda _, __: embedding)
    speech, model, face = speech_to_landmarks.speech_of(9.0), seeded_model(speaker=True), speech_to_landmarks.face()
    track, seconds = published_order(speech.samples, model, face)
    wanted = PublishedLandmarkDriver(model).drive(speech, face, 62.5).landmarks
    np.testing.assert_allclose(track, wanted[: len(track)], atol=0.05)  # the sound went through 16 bits
    assert {"two embeddings", "content branch", "speaker-aware branch", "lip repair frame by frame"} <= seconds.keys()


def test_lips_are_tested_one_by_one_as_all_at_once():
    faces = np.random.default_rng(1).standard_normal((50, 68, 3))
    np.testing.assert_array_equal([inverted(points) for points in faces], inner_lip_area(faces) < 0)


def test_our_side_gives_all_frames(monkeypatch):
    from lightning_modules.pipeline import landmark_driver_hearing

    monkeypatch.setattr(landmark_driver_hearing, "embed_speaker", lambda _: np.full(256, 1 / 16, np.float32))
    assert speech_to_landmarks.ours(speech_to_landmarks.speech_of(2.0), seeded_model(speaker=True), 30.0) == 60
