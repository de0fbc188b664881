"""Figures, intervals, names and tables of ``inkspeak evaluate clips`` against numbers worked out by hand."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import torch

from experiments.evaluation.averages import averages, noise_floor
from experiments.evaluation.clips import followed
from experiments.evaluation.distances import distance_over_clips, frechet, kernel
from experiments.evaluation.face_figures import face_figures
from experiments.evaluation.image_translation import landmark_lines
from experiments.evaluation.method_names import parse_methods
from experiments.evaluation.metric_list import metric_columns
from experiments.evaluation.motion_figures import PIECE, flow_from_landmarks, flow_from_pictures, motion_figures
from experiments.evaluation.results import Result
from experiments.evaluation.settings import EvaluationSettings
from experiments.evaluation.tables import figures_csv, table_markdown
from lightning_modules.errors import ConfigError
from lightning_modules.faces.face import make_face
from lightning_modules.geometry.frontal_face import frontal_face
from lightning_modules.metrics.feature_networks import RandomConvolutionFeatures


def face(size=64):
    """68 points within a square of this side."""
    points = np.asarray(frontal_face(), np.float32)[:, :2]
    low, high = points.min(0), points.max(0)
    return ((points - low) / (high - low).max() * 0.6 + 0.2).astype(np.float32) * size


def columns():
    return metric_columns(RandomConvolutionFeatures(), csim=False, sync=False)


def test_names_come_in_the_order_of_the_paper(tmp_path):
    asked = parse_methods(["ours", f"external:sda={tmp_path}", "drawn_frames", "upd_warp", "makeittalk_upd"])
    assert [one.name for one in asked] == ["sda", "makeittalk_upd", "upd_warp", "ours", "drawn_frames"]
    assert asked[0].folder == tmp_path


@pytest.mark.parametrize("words", [[], ["gan"], ["ours", "ours"], ["external:a"], ["external:a=/nowhere/at/all"]])
def test_wrong_names_are_refused_in_one_line(words):
    with pytest.raises(ConfigError) as caught:
        parse_methods(words)
    assert "\n" not in str(caught.value)


def test_another_system_cannot_take_a_name_of_this_house(tmp_path):
    with pytest.raises(ConfigError, match="method of this house"):
        parse_methods([f"external:ours={tmp_path}"])


@pytest.mark.parametrize(
    "wrong", [{"frames": 1}, {"distance_frames": 0}, {"landmarks": "file"}, {"size": 100}, {"fps": 0.0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        EvaluationSettings(**wrong)


def test_marks_tell_settings_apart_and_pay_no_heed_to_the_device(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"one")
    base = EvaluationSettings(inception=file).marks()
    assert EvaluationSettings(inception=file, device="cpu", batch=2).marks() == base
    assert EvaluationSettings(inception=file, seed=1).marks() != base
    file.write_bytes(b"two")
    assert EvaluationSettings(inception=file).marks() != base


def test_landmarks_against_film_and_request():
    truth = np.repeat(face()[None], 4, 0)
    eye = np.linalg.norm(truth[0, 36] - truth[0, 45])
    found = truth.copy()
    found[:, 48:58] += (1, 0)  # half of the lips by one pixel: each is half a pixel from its centred place
    found[:, 58:] -= (1, 0)
    found[3] = np.nan
    figures = face_figures(found, truth, truth + np.float32([0, 2]), torch.tensor([True, False, False, False]))
    assert figures["lmd"] == pytest.approx(1, abs=1e-4)
    assert figures["lmd_eye"] == pytest.approx(100 / eye, rel=1e-4)
    assert figures["nme"] == pytest.approx(100 * (48 * 2 + 20 * 5**0.5) / 68 / eye, rel=1e-4)
    assert figures["landmark_motion"] == 0
    assert figures["faces_found"] == 75
    opening = np.linalg.norm(found[0, [61, 62, 63]] - found[0, [67, 66, 65]], axis=1).mean() / eye
    assert figures["silent_mouth"] == (100 if opening < 0.03 else 0)


def test_no_face_at_all_gives_no_figures_but_does_not_fail():
    truth = np.repeat(face()[None], 3, 0)
    figures = face_figures(np.full_like(truth, np.nan), truth, None, torch.ones(3, dtype=torch.bool))
    assert figures.pop("faces_found") == 0
    assert all(np.isnan(value) for value in figures.values())


def test_a_still_video_is_steady_and_a_flickering_one_is_not():
    frame = np.full((64, 64, 1), 255, np.uint8)
    frame[30:33, 10:50] = 0
    still = np.repeat(frame[None], 5, 0)
    landmarks = np.repeat(face()[None], 5, 0)
    figures = motion_figures(still, flow_from_landmarks(landmarks, 64))
    assert figures == pytest.approx(
        {"ssim": 1, "ssim_compensated": 1, "motion": 0, "warping_error": 0, "line_flicker": 0}, abs=1e-6
    )
    blinking = still.copy()
    blinking[1::2] = 255
    figures = motion_figures(blinking, flow_from_landmarks(landmarks, 64))
    assert figures["line_flicker"] == 100
    # 120 of 4096 pixels go from black to white each time.
    assert figures["warping_error"] == pytest.approx(1000 * 120 / 4096, rel=1e-3)


def test_pieces_change_no_figure():
    generator = np.random.default_rng(0)
    count = PIECE + 9
    frames = generator.integers(0, 256, (count, 32, 32, 1), np.uint8)
    landmarks = (face(32)[None] + generator.normal(0, 0.3, (count, 68, 2))).astype(np.float32)
    whole = motion_figures(frames, flow_from_landmarks(landmarks, 32))
    pairs = [motion_figures(frames[t : t + 2], flow_from_landmarks(landmarks[t : t + 2], 32)) for t in range(count - 1)]
    for name in ("ssim", "ssim_compensated", "motion", "warping_error"):
        assert whole[name] == pytest.approx(np.mean([one[name] for one in pairs]), rel=1e-6), name


def test_motion_of_pictures_is_seen():
    generator = np.random.default_rng(1)
    rough = generator.integers(0, 256, (16, 16), np.uint8)
    picture = np.kron(rough, np.ones((6, 6))).astype(np.uint8)
    pictures = np.stack([np.roll(picture, 2 * t, 1) for t in range(4)])[..., None].repeat(3, -1)
    figures = motion_figures(pictures[..., :1], flow_from_pictures(pictures))
    assert figures["motion"] == pytest.approx(2, abs=0.5)
    assert figures["ssim_compensated"] > figures["ssim"] + 0.2


def test_distances_of_hand_made_sets_and_their_jackknife():
    real = np.array([[0.0], [2.0]], np.float32)  # mean 1, variance 2
    assert frechet(real, real + 3) == pytest.approx(9)
    generated = [np.array([[value], [value + 2]], np.float32) for value in (2.0, 3.0, 4.0)]

    def shift(one, other):
        return float(other.mean() - one.mean())

    found = distance_over_clips(shift, [np.zeros((2, 1), np.float32)] * 3, generated)
    # The jackknife of a mean is its standard error: clip means 3, 4, 5.
    error = np.std([3, 4, 5], ddof=1) / 3**0.5
    assert found.value == pytest.approx(4)
    assert (found.low, found.high) == pytest.approx((4 - 1.959964 * error, 4 + 1.959964 * error))
    assert distance_over_clips(shift, [real], [real]) is None  # two drawings are too few
    alone = distance_over_clips(shift, [np.zeros((3, 1), np.float32)], [np.ones((3, 1), np.float32)])
    assert alone[:3] == (1, None, None)
    assert kernel(np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32)) == 0


def results_of(values, features=None):
    return {
        f"clip{number}": Result({}, {"lmd": value}, None, {}, {"features": np.full((3, 4), number, np.float32)})
        for number, value in enumerate(values)
    }


def test_averages_leave_out_what_failed_and_what_was_not_measured():
    references = results_of([0.5, 0.5, 0.5])
    results = results_of([1.0, None, 5.0])
    results["clip3"] = Result({}, failed="broken")
    found = averages(columns(), references, results)
    assert found["lmd"].value == 3
    assert found["lmd"].clips == 2
    assert (found["lmd"].low, found["lmd"].high) == (1, 5)
    assert found["stand_in_frechet"].value == pytest.approx(0, abs=1e-6)
    assert "ssim" not in found
    assert averages(columns(), references, {"clip3": results["clip3"]}) == {}


def test_the_noise_floor_is_the_mean_of_those_that_are_known():
    one = Result({}, arrays={"noise": np.array([1.0, 2.0, 3.0])})
    other = Result({}, arrays={"noise": np.array([3.0, 2.0, 5.0])})
    assert noise_floor({"a": one, "b": Result({}), "c": other}) == {"lmd": 2, "lmd_eye": 2, "nme": 4}
    assert noise_floor({"b": Result({})}) == {}


def summary():
    def entry(lmd, failed=None):
        return {"video": None, "figures": {} if lmd is None else {"lmd": lmd}, "failed": failed}

    return {
        "made": "2030-01-01T00:00:00+00:00",
        "command": "inkspeak evaluate clips a.mp4",
        "protocol": {"fps": 25.0, "size": 256, "frames_per_clip": None, "clips": 2},
        "methods": ["upd_warp", "ours"],
        "metrics": [column.as_plain() for column in columns()],
        "average": {"upd_warp": {}, "ours": {"lmd": {"value": 1.234, "low": 1.0, "high": 2.0}}},
        "clips": [
            {"name": "a", "methods": {"upd_warp": entry(None, "no face"), "ours": entry(1.25)}},
            {"name": "b", "methods": {"upd_warp": entry(None, "no face"), "ours": entry(None)}},
        ],
        "noise": {"lmd": 0.7},
        "remarks": ["a remark"],
    }


def test_the_table_puts_the_paper_beside_the_figures():
    lines = table_markdown(summary(), columns()).splitlines()
    head = next(line for line in lines if line.startswith("| method"))
    assert head.split(" | ")[5:7] == ["LMD (px) ↓", "paper |"]
    assert "| ours | — | — | — | 0.974 | 1.23 [1.00, 2.00] | 2.64 |" in lines
    assert "- a, upd_warp: no face" in lines
    assert "Noise floor of the landmark detector on drawings: LMD 0.70 px." in lines
    assert "- a remark" in lines


def test_the_csv_holds_every_clip_and_method():
    rows = list(csv.reader(io.StringIO(figures_csv(summary()))))
    assert rows == [
        ["clip", "method", "failed", "lmd"],
        ["a", "upd_warp", "no face", ""],
        ["a", "ours", "", "1.25"],
        ["b", "upd_warp", "no face", ""],
        ["b", "ours", "", ""],
    ]


def test_the_face_that_is_followed_stays_the_same():
    def placed(x, scale):
        points = np.concatenate([face(100) * scale + (x, 0), np.zeros((68, 1))], 1)
        return make_face(points, 1.0)

    small, large = placed(0, 1.0), placed(300, 2.0)
    track = followed([[large, small], [], [large, placed(2, 1.0)]], small)
    assert np.allclose(track[0], small.landmarks[:, :2])
    assert np.isnan(track[1]).all()
    assert np.allclose(track[2, :, 0], track[0, :, 0] + 2)
    assert np.allclose(followed([[small, large]])[0], large.landmarks[:, :2])


def test_landmark_lines_are_as_published():
    raster = landmark_lines(face(256))
    colours = {tuple(colour) for colour in raster.reshape(-1, 3).tolist()}
    assert colours == {(255, 255, 255), (255, 144, 25), (50, 205, 50), (208, 224, 63), (71, 99, 255), (238, 130, 238)}
    x, y = face(256)[8].astype(int)
    assert tuple(raster[y, x].tolist()) == (255, 144, 25)
    assert (landmark_lines(np.floor(face(256)) + np.float32(0.9)) == landmark_lines(np.floor(face(256)))).all()
