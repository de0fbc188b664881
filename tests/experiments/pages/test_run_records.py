"""Runs are read as they were logged: counts of images, values that are missing, settings, previews."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_runs import write_run

from experiments.pages.run_records import (
    Curve,
    config_differences,
    find_runs,
    flat_config,
    read_run,
    read_runs,
    short_names,
    thinned,
)
from experiments.pages.run_sections import OTHER, better, chart_of, section_of, sectioned
from lightning_modules.errors import ReportError


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")


def test_curves_hold_what_was_logged(run):
    found = read_run(run, "r")
    assert found.axis == "seen/photos"
    assert sorted(found.curves) == [
        "ablated/identity",
        "loss/generator",
        "raw/content",
        "throughput/images_per_second",
        "validation/error",
    ]
    content = found.curves["raw/content"]
    assert content.values.tolist() == [4, 2, 1, 0.5]
    assert content.seen.tolist() == [16, 32, 48, 64]
    assert content.steps.tolist() == [0, 1, 2, 3]


def test_validation_stands_at_the_images_of_its_step(run):
    """Its rows hold no count: the first is that of step 1; step 4 lies one batch beyond the last count."""
    error = read_run(run, "r").curves["validation/error"]
    assert error.seen.tolist() == [32, 80]
    assert error.values.tolist() == [0.5, 0.25]


def test_between_two_counts_images_grow_with_the_steps(tmp_path):
    (tmp_path / "metrics.csv").write_text("seen/windows,step,val/x,y\n100,9,,1\n,14,5,\n200,19,,1\n")
    assert read_run(tmp_path, "r").curves["val/x"].seen.tolist() == [150]


def test_values_that_are_not_finite_are_told(run):
    found = read_run(run, "r")
    assert found.curves["loss/generator"].values.tolist() == [8, 4, 2]
    assert found.remarks == ("r: 1 value is not finite in loss/generator, and not drawn.",)


def test_a_run_without_counts_goes_by_steps(tmp_path):
    (tmp_path / "metrics.csv").write_text("loss,step\n1,10\n2,20\n")
    found = read_run(tmp_path, "r")
    assert (found.axis, found.curves["loss"].seen.tolist(), found.config) == ("step", [10, 20], {})
    assert "does not count" in found.remarks[0]


def test_a_line_that_is_being_written_does_not_count(run):
    with (run / "metrics.csv").open("a") as stream:
        stream.write("2,0.2")
    assert len(read_run(run, "r").curves["raw/content"].values) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no logged step"),
        ("step\n", "no logged step"),
        ("loss\n1\n", "no logged step"),
        ("step,loss\n1,2\n1\n", "line 3 has 1 fields, not 2"),
        ("step,loss\n1,abc\n", "line 2 holds 'abc'"),
    ],
)
def test_damaged_metrics_are_refused(tmp_path, text, message):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(ReportError, match=message):
        read_run(tmp_path, "r")


def test_runs_are_found_below_a_folder_once_and_in_order(tmp_path):
    folders = [write_run(tmp_path / f"GAN/version_{number}", media=False) for number in (10, 9, 1)]
    assert find_runs([tmp_path]) == folders[::-1]
    assert find_runs([folders[0], folders[0] / "metrics.csv", tmp_path]) == [folders[0], *folders[:0:-1]]
    with pytest.raises(ReportError, match="no such folder"):
        find_runs([tmp_path / "nothing"])
    with pytest.raises(ReportError, match=r"no metrics\.csv is in it or below it"):
        find_runs([folders[0] / "previews"])


def test_names_tell_runs_apart(tmp_path):
    names = ("a/GAN/version_0", "b/GAN/version_0", "b/GAN/version_1")
    assert short_names([tmp_path / name for name in names]) == ["a/version_0", "b/version_0", "b/version_1"]
    assert short_names([tmp_path / "a/GAN/version_0"]) == ["GAN/version_0"]
    assert short_names([tmp_path / "a", tmp_path / "a/b"]) == ["a", "b"]
    assert short_names([tmp_path / "x", tmp_path / "a/b"]) == ["x", "a/b"]


def test_settings_become_one_list(run):
    assert read_run(run, "r").config == {
        "seed_everything": "0",
        "trainer.max_epochs": "2",
        "trainer.callbacks[ExponentialMovingAverage]": "callbacks.ema.ExponentialMovingAverage",
        "trainer.callbacks[ExponentialMovingAverage].decay": "0.999",
        "trainer.callbacks[RandomState]": "callbacks.rng_state.RandomState",
        "model": "lightning_modules.portrait_gan.PortraitGAN",
        "model.objective.identity": "0.0",
        "model.objective.content": "10.0",
        "model.widths": "[16, 32]",
    }


def test_only_settings_that_differ_are_compared(tmp_path):
    write_run(tmp_path / "a", media=False)
    write_run(tmp_path / "b", identity=1.5, media=False)
    bare = write_run(tmp_path / "c", media=False)
    (bare / "config.yaml").unlink()
    assert config_differences(read_runs([tmp_path])) == [("model.objective.identity", ["0.0", "1.5", None])]
    assert config_differences(read_runs([tmp_path / "a", bare])) == []


def test_a_configuration_never_runs_code(run):
    (run / "config.yaml").write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ReportError, match="not a YAML file"):
        read_run(run, "r")
    with pytest.raises(ReportError, match="no settings"):
        flat_config("- 1\n", run)


def test_previews_are_sorted_into_series(run):
    media = read_run(run, "r").media
    assert [(medium.series, medium.count) for medium in media] == [
        ("previews/photos*.mp4", 64),
        ("previews/photos*.png", 16),
        ("previews/photos*.png", 32),
        ("previews/photos*.png", 64),
    ]


def test_thinning_keeps_every_peak():
    values = np.zeros(50_000)
    values[[123, 31_007]] = 9, -9
    steps = np.arange(50_000.0)
    thin = thinned(Curve(steps, 2 * steps, values), most=200)
    assert len(thin.values) <= 200
    assert (thin.values.max(), thin.values.min()) == (9, -9)
    assert thin.steps[thin.values.argmax()] == 123
    assert thin.seen[thin.values.argmin()] == 62_014
    assert (thin.steps[0], thin.steps[-1]) == (0, 49_999)
    assert np.all(np.diff(thin.steps) > 0)
    short = Curve(steps[:200], steps[:200], values[:200])
    assert thinned(short, most=200) is short


@pytest.mark.parametrize(
    ("column", "start"),
    [
        ("fid", "Overview"),
        ("val/photo/error", "Overview"),
        ("inter_frame_ssim/similarity", "Overview"),
        ("raw/content", "Objective: the terms"),
        ("ablated/content", "Objective: the terms"),
        ("weighted/content", "Objective: weighted"),
        ("gradient_share/content", "Objective: weighted"),
        ("logits/d_g_real", "Discriminators"),
        ("health/d_g/margin", "Discriminators"),
        ("throughput/images_per_second", "Pace"),
        ("something/else", OTHER),
    ],
)
def test_every_curve_has_its_section(column, start):
    assert section_of(column).startswith(start)


def test_an_ablated_term_is_drawn_where_the_term_is():
    assert chart_of("ablated/lip_line") == ("raw/lip_line", True)
    assert chart_of("raw/lip_line") == ("raw/lip_line", False)
    charts = dict(sectioned(["raw/a", "ablated/a", "ablated/b", "x"]))
    assert list(charts.values()) == [["raw/a", "raw/b"], ["x"]]


@pytest.mark.parametrize(
    ("column", "way"),
    [
        ("fid", "lower"),
        ("validation/lip_error", "lower"),
        ("inter_frame_ssim/similarity", "higher"),
        ("inter_frame_ssim/motion", "none"),
        ("validation/classifier_accuracy", "higher"),
        ("validation/auc/photo", "higher"),
        ("validation/ink", "none"),
    ],
)
def test_which_way_is_better(column, way):
    assert better(column) == way


def test_infinite_values_do_not_reach_a_page(tmp_path):
    (tmp_path / "metrics.csv").write_text("loss,step\ninf,1\n-inf,2\n3,3\n")
    curve = read_run(tmp_path, "r").curves["loss"]
    assert curve.values.tolist() == [3]
    assert all(map(math.isfinite, curve.values))
