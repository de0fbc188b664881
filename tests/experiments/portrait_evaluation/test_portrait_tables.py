"""Figures, averages, ranks and tables of ``inkspeak evaluate portraits`` against numbers worked out by hand."""

from __future__ import annotations

import csv
import io
import math

import cv2
import numpy as np
import pytest
import torch

from experiments.evaluation.drawn_landmarks import DrawnFaceFinder
from experiments.evaluation.results import Result
from experiments.portrait_evaluation.averages import (
    averages,
    of_photos,
    portrait_columns,
    ratio_of_means,
    with_flicker_ratio,
    worst_photos,
)
from experiments.portrait_evaluation.pair_figures import (
    at_rest,
    identity_distance,
    lines_tracked,
    motion_share,
    shown_motion,
)
from experiments.portrait_evaluation.summary import failures, why_worst
from experiments.portrait_evaluation.tables import figures_csv, table_markdown
from lightning_modules.faces.face import FaceList, make_face
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.losses.identity import FaceFeatures
from lightning_modules.metrics.feature_networks import RandomConvolutionFeatures


def result(**figures):
    return Result({}, figures)


def results():
    """Two photos and two utterances by two methods; one pair failed."""
    ours = {
        "anna": {"a": result(nme=3.0, line_flicker=1.0), "b": result(nme=5.0, line_flicker=2.0)},
        "bert": {"a": result(nme=2.0, line_flicker=None), "b": Result({}, failed="no speech")},
    }
    drawer = {
        "anna": {"a": result(nme=4.0, line_flicker=4.0), "b": result(nme=4.0, line_flicker=8.0)},
        "bert": {"a": result(nme=6.0, line_flicker=0.0), "b": Result({}, failed="no speech")},
    }
    return {"ours": ours, "warp_then_draw": drawer}


def columns(**choices):
    return portrait_columns(RandomConvolutionFeatures(), **{"drawings": False, "csim": False} | choices)


def test_a_photo_counts_once_however_often_it_speaks():
    figures = with_flicker_ratio(results())
    assert of_photos(figures["ours"], "nme") == {"anna": 4.0, "bert": 2.0}
    assert of_photos(figures["ours"], "line_flicker") == {"anna": 1.5}
    found = averages(columns(), figures, {})
    assert found["ours"]["nme"].value == 3.0
    assert (found["ours"]["nme"].low, found["ours"]["nme"].high, found["ours"]["nme"].clips) == (2.0, 4.0, 2)
    assert "ssim" not in found["ours"]


def test_flicker_is_told_in_percent_of_the_frame_by_frame_drawer():
    figures = with_flicker_ratio(results())
    assert figures["ours"]["anna"]["a"]["flicker_ratio"] == 25
    assert figures["ours"]["anna"]["b"]["flicker_ratio"] == 25
    assert figures["warp_then_draw"]["anna"]["b"]["flicker_ratio"] == 100
    assert "flicker_ratio" not in figures["warp_then_draw"]["bert"]["a"]  # 0 of 0
    assert averages(columns(), figures, {})["ours"]["flicker_ratio"].value == 25  # 1.5 of 6
    alone = with_flicker_ratio({"ours": results()["ours"]})
    assert "flicker_ratio" not in alone["ours"]["anna"]["a"]


def test_the_ratio_of_means_is_not_the_mean_of_ratios():
    found = ratio_of_means([1.0, 1.0, 4.0], [2.0, 10.0, 4.0])
    assert found.value == 37.5
    assert found.low == 10  # three times the second photo
    assert found.high == 100
    assert ratio_of_means([], []) is None
    assert ratio_of_means([1.0], [0.0]) is None
    assert ratio_of_means([1.0], [4.0])[:3] == (25, None, None)


def test_the_distance_is_to_the_drawings_and_bears_the_stand_ins_name():
    generator = np.random.default_rng(0)
    real = generator.normal(size=(20, 4)).astype(np.float32)
    features = {"ours": [real[:5], real[5:10]], "warp_then_draw": [real[:5] + 3, real[5:10] + 3]}
    chosen = columns(drawings=True)
    assert [one.name for one in chosen if "kernel" in one.name] == ["stand_in_kernel"]
    found = averages(chosen, with_flicker_ratio(results()), features, drawings=real)
    assert found["ours"]["stand_in_kernel"].value < 0.1 * found["warp_then_draw"]["stand_in_kernel"].value


def test_the_worst_photos_by_the_mean_of_two_ranks():
    figures = {
        "a": {"x": {"nme": 1.0, "line_flicker": 9.0}},
        "b": {"x": {"nme": 5.0, "line_flicker": 3.0}},
        "c": {"x": {"nme": 2.0, "line_flicker": 3.0}},
        "d": {"x": {"nme": 9.0, "line_flicker": None}},
    }
    # NME ranks 0, 1, 1/2; flicker 1, 1/4, 1/4.
    assert worst_photos(figures) == [("b", 0.625), ("a", 0.5), ("c", 0.375)]
    assert worst_photos(figures, 1) == [("b", 0.625)]
    assert worst_photos({}) == []
    told = why_worst(figures["b"], 0.625)
    assert told == "score 0.62 (mean rank of NME and line flicker), NME 5.00 %, line flicker 3.00 %"


def test_every_figure_is_a_row():
    rows = list(csv.reader(io.StringIO(figures_csv(with_flicker_ratio(results()), columns()))))
    assert rows[0] == ["photo", "utterance", "method", "metric", "value"]
    assert ["anna", "b", "ours", "nme", "5.0"] in rows
    assert ["anna", "a", "ours", "flicker_ratio", "25.0"] in rows
    assert len(rows) == 1 + 2 * 3 + 2 * 3 + 1 + 2


def test_the_table():
    figures = with_flicker_ratio(results())
    found = averages(columns(), figures, {})
    summary = {
        "protocol": {"fps": 25.0, "size": 256, "frames": 50, "photos": 2, "utterances": 2},
        "methods": ["ours", "warp_then_draw"],
        "average": {
            name: {metric: {"value": one.value, "low": one.low, "high": one.high} for metric, one in of.items()}
            for name, of in found.items()
        },
        "worst_of": "ours",
        "worst": [{"photo": "anna", "score": 1.0, "why": "bad"}],
        "failed": failures(results()),
        "remarks": ["read this"],
        "made": "today",
        "command": "inkspeak",
    }
    table = table_markdown(summary, columns())
    assert "# 2 photos × 2 utterances, 50 frames of each, 25 fps, 256 pixels" in table
    assert "| landmark NME (% of eye distance) ↓ | 3.00 [2.00, 4.00] | 5.00 [4.00, 6.00] |" in table
    assert "| line flicker (% of warp_then_draw's) ↓ | 25 | 100" in table
    assert "SSIM" not in table
    assert "- anna: bad" in table
    assert "- bert, b, ours: no speech" in table


def test_a_photo_that_nothing_can_use_is_one_line():
    lost = Result({}, failed="no face")
    assert failures({"ours": {"x": {"a": lost, "b": lost}}, "upd_warp": {"x": {"a": lost, "b": lost}}}) == [
        "x: no face"
    ]


def asked_track():
    """Side 64; every frame one pixel further right, and the jaw of each second frame two down."""
    points = np.asarray(frontal_face(), np.float32)[:, :2] * 20 + (28, 30)
    track = np.stack([points + np.array([number, 0]) for number in range(6)]).astype(np.float32)
    track[1::2, :17, 1] += 2
    return track


def test_motion_is_measured_against_what_was_asked():
    asked = asked_track()
    assert motion_share(asked, asked) == pytest.approx(100)
    assert motion_share(asked + np.array([5, -3]), asked) == pytest.approx(100)  # a bias does not move
    half = asked.mean(0) + (asked - asked.mean(0)) / 2
    assert motion_share(half, asked) == pytest.approx(50)
    gone = asked.copy()
    gone[2] = np.nan
    assert motion_share(gone, asked) == pytest.approx(100)
    assert math.isnan(motion_share(asked, np.repeat(asked[:1], 6, 0)))
    assert math.isnan(motion_share(np.full_like(asked, np.nan), asked))
    found = shown_motion(half.astype(np.float32), asked, 64)
    assert found["motion_share"] == pytest.approx(50)
    assert found["motion_ratio"] == pytest.approx(50, abs=0.5)


def test_unrest_of_the_detector_adds_to_the_motion_found_but_not_to_the_share():
    asked = np.repeat(asked_track(), 8, 0)
    noise = np.random.default_rng(1).normal(0, 0.3, asked.shape).astype(np.float32)
    found = shown_motion(asked + noise, asked, 64)
    assert found["motion_ratio"] > 110
    assert found["motion_share"] == pytest.approx(100, abs=1)


def test_lines_that_go_half_the_way_are_half_the_motion():
    rest = np.asarray(frontal_face(), np.float32)[:, :2] * 20 + (28, 30)
    steps = np.arange(5, dtype=np.float32)[:, None, None] * [[[0.8, 0.4]]]

    def drawn(points):
        picture = np.full((64, 64, 1), 255, np.uint8)
        for x, y in points:
            cv2.circle(picture, (round(16 * x), round(16 * y)), 24, 0, -1, cv2.LINE_AA, shift=4)
        return picture

    frames = np.stack([drawn(rest + step / 2) for step in steps])
    found = lines_tracked(drawn(rest), rest, frames, (rest + steps).astype(np.float32))
    assert found["motion_tracked"] == pytest.approx(50, abs=5)
    # Half of the mean of 0, 0.9, 1.8, 2.7 and 3.6 pixels in the middle, over the eyes' distance.
    assert found["tracked_error"] == pytest.approx(100 * 0.89 / np.linalg.norm(rest[36] - rest[45]), rel=0.15)
    assert found["tracked_share"] > 50


class Shifted:
    """A detector that is three pixels off."""

    name = "made-up"

    def find_faces(self, rgb):
        points = np.asarray(frontal_face(), np.float32)[:, :2] * 20 + (31, 30)
        return FaceList([make_face(np.concatenate([points, np.zeros((68, 1), np.float32)], 1), 1.0)])


def test_what_the_detector_makes_of_the_static_drawing():
    landmarks = np.asarray(frontal_face(), np.float32)[:, :2] * 20 + (28, 30)
    found = at_rest(DrawnFaceFinder("starter", (Shifted(),)), np.full((64, 64, 1), 255, np.uint8), landmarks)
    assert found["nme_rest"] == pytest.approx(15, abs=0.05)  # 3 of 20
    assert found["nme_noise"] > 1  # it does not follow the shifted view


class MeanAndSpread(torch.nn.Module):
    """Features of two numbers."""

    def forward(self, crop):
        flat = crop.flatten(1)
        return [torch.stack([flat.mean(1), flat.std(1)], 1)]


def test_identity_is_measured_where_the_face_is():
    features = FaceFeatures(MeanAndSpread(), window="landmarks")
    landmarks = np.asarray(frontal_face(), np.float32)[:, :2] * 20 + (28, 30)
    static = np.random.default_rng(3).integers(0, 255, (64, 64, 1)).astype(np.uint8)
    frames = np.stack([static, static])
    asked = np.stack([landmarks, landmarks])
    assert identity_distance(features, frames, asked, static, landmarks) == pytest.approx(0, abs=1e-6)
    grey = np.full_like(frames, 90)
    assert identity_distance(features, grey, asked, static, landmarks) > 0.2
