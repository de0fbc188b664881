"""Flow between frames, and the measures that take motion out, against loops and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity as skimage_similarity

from lightning_modules.errors import MetricError
from lightning_modules.geometry.spline import spline_flow
from lightning_modules.metrics.frame_flow import FrameFlow, landmark_flow, optical_flow
from lightning_modules.metrics.line_flicker import LineFlickerPercent, clip_flicker, line_flicker
from lightning_modules.metrics.motion_compensated_ssim import (
    MotionCompensatedSSIM,
    motion_compensated_ssim,
    motion_magnitude,
)
from lightning_modules.metrics.warping_error import WarpingError, warping_error

SIZE = 48


def shifted_by(x, y=0.0, pairs=1, size=SIZE):
    flow = torch.tensor([x, y]).expand(pairs, size, size, 2).clone()
    return FrameFlow(flow, -flow)


def still(pairs=1, size=SIZE):
    return shifted_by(0.0, pairs=pairs, size=size)


@pytest.fixture
def frames():
    return torch.rand(2, 1, SIZE, SIZE, dtype=torch.float64)


def ring(x=24.0, y=24.0, radius=14.0):
    rows, columns = torch.meshgrid(torch.arange(float(SIZE)), torch.arange(float(SIZE)), indexing="ij")
    return 1 - torch.exp(-((torch.hypot(columns - x, rows - y) - radius) ** 2) / 2)[None]


def test_what_both_frames_show_by_hand():
    flow = shifted_by(3.0)
    flow.forward[0, 20, 10, 0] = 3 + 1.2  # frame t + 1's pixel (13, 20) came from there
    seen = flow.visible()[0]
    assert not seen[:, :3].any()  # came in over the left edge
    assert int((~seen[:, 3:]).sum()) == 1
    assert not seen[20, 13]
    # 1.2² = 1.44 is beyond 0.5 + 0.01 (3² + 4.2²) = 0.77, and 0.8² is not.
    flow.forward[0, 20, 10, 0] = 3 + 0.8
    assert FrameFlow(flow.forward, flow.backward).visible()[0, :, 3:].all()


def test_warping_error_of_whole_pixels_by_hand(frames):
    found = warping_error(frames, shifted_by(3.0))
    expected = (frames[0, 0, :, :-3] - frames[1, 0, :, 3:]).square().mean()
    assert float(found) == pytest.approx(float(expected), abs=1e-6)
    moved = torch.stack([frames[0], frames[0].roll(3, -1)])
    assert float(warping_error(moved, shifted_by(3.0))) == pytest.approx(0, abs=1e-10)
    assert float(warping_error(moved, still())) > 0.1


def test_compensated_similarity_against_skimage(frames):
    found = motion_compensated_ssim(frames, shifted_by(3.0, -2.0))
    moved = frames[0, 0].numpy()[np.arange(SIZE)[:, None] + 2 - (np.arange(SIZE)[:, None] > SIZE - 3) * 2]
    moved = np.roll(frames[0, 0].numpy(), (-2, 3), (0, 1))
    moved[-2:], moved[:, :3] = moved[-3], moved[:, 3:4]  # the edge is repeated
    around = [np.pad(picture, 10, mode="reflect") for picture in (moved, frames[1, 0].numpy())]
    _, full = skimage_similarity(
        *around, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    expected = full[10:-10, 10:-10][:-2, 3:].mean()
    assert float(found) == pytest.approx(expected, abs=1e-5)


def test_motion_is_taken_out_and_told():
    pair = torch.stack([ring(20), ring(23)])
    assert float(motion_compensated_ssim(pair, shifted_by(3.0))) > 0.999
    assert float(motion_compensated_ssim(pair, still())) < 0.8
    assert float(motion_magnitude(shifted_by(3.0, 4.0))) == pytest.approx(5)
    metric = MotionCompensatedSSIM()
    metric.update(pair, shifted_by(3.0))
    metric.update(torch.stack([ring(), ring()]), still())
    found = metric.compute()
    assert float(found["similarity"]) == pytest.approx(1, abs=1e-3)
    assert float(found["motion"]) == pytest.approx((3 + 0) / 2)


def test_pairs_without_flow_are_left_out(frames):
    clip = torch.cat([frames, frames[:1]])
    flow = still(2)
    flow.backward[1, 5, 5] = torch.nan
    for measure in (warping_error, motion_compensated_ssim):
        found = measure(clip, flow)
        assert float(found[0]) == float(measure(frames, still()))
        assert torch.isnan(found[1])
    metric = WarpingError()
    metric.update(clip, flow)
    assert float(metric.compute()) == float(warping_error(frames, still()))
    flow.backward[0, 5, 5] = torch.nan
    flow = FrameFlow(flow.forward, flow.backward)
    for metric in (WarpingError(), MotionCompensatedSSIM()):
        with pytest.raises(MetricError, match="none of 2 pairs"):
            metric.update(clip, flow)
    with pytest.raises(MetricError, match="no line stands still"):
        LineFlickerPercent().update(clip, flow)


def flicker_by_loops(first, second):
    """Every ink pixel looks for a trace among all pixels of the other frame; the flow is nought."""
    lost = total = 0
    for one, other in ((first, second), (second, first)):
        traces = np.argwhere(other < 0.75)
        for y, x in np.argwhere(one < 0.5):
            total += 1
            lost += not any(np.hypot(y - b, x - a) <= 2 for b, a in traces)
    return lost, total


def test_flicker_by_loops():
    generator = np.random.default_rng(0)
    first, second = (np.where(generator.random((SIZE, SIZE)) < 0.02, generator.random((SIZE, SIZE)), 1) for _ in "ab")
    found = line_flicker(torch.from_numpy(np.stack([first, second])[:, None]), still())
    lost, total = flicker_by_loops(first, second)
    assert (int(found.appeared + found.vanished), int(found.ink)) == (lost, total)
    assert 0 < lost < total


def test_flicker_by_distances_everywhere():
    """What is only worked out where a line is in doubt is what distances from every pixel of the frame give."""
    from scipy.ndimage import distance_transform_edt, map_coordinates

    generator = np.random.default_rng(1)
    frames = np.where(generator.random((4, SIZE, SIZE)) < 0.02, generator.random((4, SIZE, SIZE)), 1)
    flow = FrameFlow(*(torch.from_numpy(generator.uniform(-0.8, 0.8, (3, SIZE, SIZE, 2))).float() for _ in "ab"))
    found = line_flicker(torch.from_numpy(frames[:, None]), flow)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    lost, total = np.zeros(3, int), np.zeros(3, int)
    for way, shown, other in ((flow.backward, frames[1:], frames[:-1]), (flow.forward, frames[:-1], frames[1:])):
        for pair in range(3):
            x, y = np.moveaxis(way[pair].double().numpy(), -1, 0)
            still = (shown[pair] < 0.5) & (np.hypot(x, y) < 1)
            away = distance_transform_edt(other[pair] >= 0.75)
            read = map_coordinates(away, [rows + y, columns + x], order=1, mode="nearest")
            lost[pair] += (still & (read > 2.01)).sum()
            total[pair] += still.sum()
    assert (found.appeared + found.vanished).tolist() == lost.tolist()
    assert found.ink.tolist() == total.tolist()
    assert 0 < lost.sum() < total.sum()


def test_flicker_by_hand():
    """A line of 20 pixels that stays, one of 10 that goes and, where something moves, one that does not count."""
    pair = torch.ones(2, 1, SIZE, SIZE)
    pair[:, :, 10, 5:25] = 0
    pair[0, :, 20, 5:15] = 0
    pair[0, :, 40, 5:45] = 0
    flow = still()
    for way in (flow.forward, flow.backward):
        way[:, 36:44] = 2.0
    found = line_flicker(pair, flow)
    assert [int(value) for value in found] == [0, 10, 50]
    assert float(found.percent()) == pytest.approx(20)
    faded = pair.clone()
    faded[1, :, 20, 5:15] = 0.7  # a trace is left
    assert float(clip_flicker(line_flicker(faded, flow))) == 0
    nudged = pair.clone()
    nudged[1, :, 22, 5:15] = 0
    assert float(clip_flicker(line_flicker(nudged, flow))) == 0
    nudged[1, :, 22], nudged[1, :, 23, 5:15] = 1, 0
    # The ten of frame t have gone, and the ten of frame t + 1 are new.
    assert [int(value) for value in line_flicker(nudged, flow)] == [10, 10, 60]


def test_flicker_follows_the_motion():
    pair = torch.stack([ring(20), ring(20.9)])
    moving = shifted_by(0.9)
    assert float(clip_flicker(line_flicker(pair, moving))) == 0
    gone = pair.clone()
    gone[1, :, :24] = 1
    metric = LineFlickerPercent()
    metric.update(gone, moving)
    metric.update(pair, moving)
    assert 10 < float(metric.compute()) < 30
    wrong_way = FrameFlow(-moving.forward * 0 + 0.0, moving.backward * 0)
    assert float(clip_flicker(line_flicker(torch.stack([ring(20), ring(26)]), wrong_way))) > 30


def test_blank_frames():
    blank = torch.ones(3, 1, SIZE, SIZE)
    assert motion_compensated_ssim(blank, still(2)).tolist() == pytest.approx([1, 1])
    assert warping_error(blank, still(2)).tolist() == [0, 0]
    assert torch.isnan(line_flicker(blank, still(2)).percent()).all()
    with pytest.raises(MetricError, match="no line stands still in 3 frames"):
        LineFlickerPercent().update(blank, still(2))
    drawn_once = blank.clone()
    drawn_once[1] = ring()
    assert line_flicker(drawn_once, still(2)).percent().tolist() == [100, 100]


@pytest.mark.parametrize("measure", [motion_compensated_ssim, warping_error, line_flicker])
def test_what_cannot_be_measured(measure, frames):
    with pytest.raises(MetricError, match="1 frames has no neighbouring"):
        measure(frames[:1], still())
    with pytest.raises(ValueError, match="need flow"):
        measure(frames, still(2))
    with pytest.raises(ValueError, match="need flow"):
        measure(frames, still(size=16))
    with pytest.raises(MetricError, match="not finite"):
        measure(torch.full_like(frames, torch.nan), still())


@pytest.mark.parametrize("metric", [MotionCompensatedSSIM(), WarpingError(), LineFlickerPercent()])
def test_nothing_fed_is_a_typed_error(metric):
    with pytest.raises(MetricError, match="has 0 clips"):
        metric.compute()


def test_colour_bytes_and_model_range_mean_the_same(frames):
    levels = (frames.expand(2, 3, -1, -1) * 255).round().to(torch.uint8)
    expected = warping_error(levels, still())
    model = levels.double() / 127.5 - 1
    assert float(warping_error(model, still(), (-1.0, 1.0))) == pytest.approx(float(expected), abs=1e-12)
    assert float(warping_error(levels.double() / 255, still())) == pytest.approx(float(expected), abs=1e-12)


def test_landmark_flow_is_the_spline_both_ways():
    track = torch.rand(4, 68, 2) * 20 + 14
    track[1:] = track[:1] + torch.tensor([1.0, -0.5]) + torch.randn(3, 68, 2) * 0.1
    track[2, 7, 1] = torch.nan
    flow = landmark_flow(track, SIZE)
    assert flow.known().tolist() == [True, False, False]
    rows, columns = torch.meshgrid(torch.arange(float(SIZE)), torch.arange(float(SIZE)), indexing="ij")
    here = torch.stack([columns, rows], -1)
    exact = spline_flow(track[:1], track[1:2], SIZE, anchors=True)[0]
    assert float((here + flow.backward[0] - exact).norm(dim=-1).mean()) < 0.05
    middle = flow.forward[0, 18:30, 18:30].mean((0, 1))
    assert middle.tolist() == pytest.approx([1.0, -0.5], abs=0.15)
    assert float(flow.visible()[0].double().mean()) > 0.97
    assert flow.backward[0, 0, 0].tolist() == pytest.approx([0, 0], abs=1e-3)
    still_face = landmark_flow(track[:1].expand(2, -1, -1), SIZE)
    assert float(motion_magnitude(still_face)) < 1e-4


def test_optical_flow_finds_a_shift():
    from scipy.ndimage import gaussian_filter

    cloud = gaussian_filter(np.random.default_rng(0).normal(size=(96, 96)), 3)
    cloud = torch.from_numpy((cloud - cloud.min()) / np.ptp(cloud))
    clip = torch.stack([cloud[10:74, 10:74], cloud[10:74, 8:72]])[:, None]
    flow = optical_flow(clip)
    assert flow.forward[0, 16:-16, 16:-16].mean((0, 1)).tolist() == pytest.approx([2, 0], abs=0.1)
    assert flow.backward[0, 16:-16, 16:-16].mean((0, 1)).tolist() == pytest.approx([-2, 0], abs=0.1)
    assert float(warping_error(clip, flow)) < 0.05 * float(warping_error(clip, still(size=64)))


def test_flow_of_wrong_shape_is_refused():
    with pytest.raises(MetricError, match="no motion"):
        landmark_flow(torch.zeros(1, 68, 2), SIZE)
    with pytest.raises(ValueError, match="landmarks are"):
        landmark_flow(torch.zeros(3, 5, 2), SIZE)
    with pytest.raises(ValueError, match="both ways"):
        FrameFlow(torch.zeros(1, 4, 4, 2), torch.zeros(2, 4, 4, 2))
    with pytest.raises(ValueError, match="16 x 16"):
        optical_flow(torch.zeros(2, 1, 8, 8))
