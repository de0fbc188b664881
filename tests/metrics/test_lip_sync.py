"""The search over offsets against loops, crops and files, and SyncNet with random weights from end to end."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules.audio.cepstral import cepstral_coefficients
from lightning_modules.errors import MetricError, WeightsError
from lightning_modules.metrics import lip_sync as module
from lightning_modules.metrics.lip_sync import (
    LipSync,
    LipSyncError,
    face_crops,
    lip_sync,
    load_syncnet,
    offset_distances,
)
from lightning_modules.networks.frozen.syncnet import SyncNet


class Towers(torch.nn.Module):
    """A stand-in whose lips are the middle frame's mean colours and whose sound is a mean of the coefficients."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def lips(self, faces):
        assert faces.shape[1:] == (3, 5, 224, 224)
        return faces[:, :, 2].mean((2, 3))

    def sound(self, coefficients):
        assert coefficients.shape[1:] == (1, 13, 20)
        return coefficients[:, 0, :3].mean(2) * 10


def search_by_loops(lips, sound, reach):
    """Pair by pair, as the published evaluation does it."""
    means = []
    for offset in range(-reach, reach + 1):
        each = []
        for i, lip in enumerate(lips):
            other = sound[i + offset] if 0 <= i + offset < len(sound) else np.zeros(lips.shape[1])
            each.append(np.sqrt(((lip - other + 1e-6) ** 2).sum()))
        means.append(np.mean(each))
    return np.array(means)


def test_offsets_by_loops():
    lips, sound = torch.randn(9, 6, dtype=torch.float64), torch.randn(9, 6, dtype=torch.float64)
    found = offset_distances(lips, sound, 4)
    np.testing.assert_allclose(found.numpy(), search_by_loops(lips.numpy(), sound.numpy(), 4), rtol=1e-12)


def test_lips_that_come_late_are_noticed():
    sound = torch.randn(40, 8)
    late = sound.roll(3, 0)  # window i shows what was heard three frames before
    means = offset_distances(late, sound)
    assert 15 - int(means.argmin()) == 3
    assert float(means.min()) < 0.5 * float(means.median())


def clip(count=12, seconds=0.6):
    generator = torch.Generator().manual_seed(1)
    faces = torch.randint(0, 256, (count, 3, 1, 1), generator=generator, dtype=torch.uint8).expand(-1, -1, 224, 224)
    samples = np.random.default_rng(2).uniform(-0.3, 0.3, round(16000 * seconds))
    return faces, samples


def test_the_whole_way_by_loops():
    """Colours turned to blue first, windows of five frames and twenty steps, as many as there is sound for."""
    faces, samples = clip(count=14, seconds=0.5)  # 12 frames of sound: seven windows
    lips = np.stack([faces[t + 2, [2, 1, 0], 0, 0].numpy().astype(float) for t in range(7)])
    heard = cepstral_coefficients(samples)
    sound = np.stack([heard[4 * t : 4 * t + 20, :3].mean(0) * 10 for t in range(7)])
    means = search_by_loops(lips, sound, 15)
    found = lip_sync(Towers(), faces, samples)
    assert found.distance == pytest.approx(means.min(), rel=1e-5)
    assert found.confidence == pytest.approx(np.median(means) - means.min(), rel=1e-4, abs=1e-3)
    assert found.offset == 15 - int(means.argmin())


def test_syncnet_itself_with_random_weights(tmp_path):
    torch.manual_seed(0)
    network = SyncNet()
    state = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "syncnet_v2.model")
    loaded = load_syncnet(tmp_path / "syncnet_v2.model")
    faces, samples = clip(count=6, seconds=0.24)  # one window: the network is large
    found = lip_sync(loaded, faces, samples)
    seen = torch.stack([faces[t : t + 5].flip(1).transpose(0, 1).float() for t in range(1)])
    heard = torch.from_numpy(cepstral_coefficients(samples).T.copy()).float()
    with torch.no_grad():
        lips = network.lips(seen).double().numpy()
        sound = network.sound(torch.stack([heard[None, :, 4 * t : 4 * t + 20] for t in range(1)])).double().numpy()
    means = search_by_loops(lips, sound, 15)
    assert found.distance == pytest.approx(means.min(), rel=1e-4)
    assert found.confidence == pytest.approx(np.median(means) - means.min(), abs=1e-4)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="no such weight file"):
        load_syncnet(tmp_path / "missing.model")
    torch.save({"netcnnaud.0.weight": torch.zeros(64, 1, 3, 3)}, tmp_path / "part.model")
    with pytest.raises(WeightsError, match="not SyncNet: no fitting 'netcnnaud"):
        load_syncnet(tmp_path / "part.model")
    (tmp_path / "text.model").write_text("not weights at all")
    with pytest.raises(WeightsError):
        load_syncnet(tmp_path / "text.model")
    assert "LSE" in module.ABSENT


def test_crops_by_hand():
    """A face box of 40 x 40 about (50, 60): the crop shows x 22 to 78 and y 40 to 96, enlarged four times."""
    frame = torch.zeros(3, 120, 120, dtype=torch.uint8)
    frame[0] = torch.arange(120)[None]
    frame[1] = torch.arange(120)[:, None]
    face_points = torch.full((68, 2), 50.0)
    face_points[:, 1] = 60
    # Brows at y 48 and chin at y 80: the forehead is a share of 32 px further up.
    face_points[17:27, 1], face_points[8] = 48.0, torch.tensor([50.0, 80.0])
    face_points[0], face_points[16] = torch.tensor([30.0, 60.0]), torch.tensor([70.0, 60.0])
    x, y, half = module._boxes(face_points[None])[0]
    assert (x, half) == (50, 20)
    (crop,) = face_crops(frame[None], face_points[None])
    assert crop.shape == (3, 224, 224)
    columns, rows = crop[0, 100].double(), crop[1, :, 100].double()
    # Pixel j reads at (j + 0.5) / 4 - 0.5 beyond the left edge x - 1.4 half, and below the top edge y - half.
    assert float(columns[10]) == pytest.approx(50 - 28 + 10.5 / 4 - 0.5 + 0.5, abs=1)
    assert float(columns[200]) == pytest.approx(50 - 28 + 200.5 / 4, abs=1)
    assert float(rows[100]) == pytest.approx(y - 20 + 100.5 / 4, abs=1)


def test_lost_faces_are_bridged_and_jumps_smoothed():
    track = torch.rand(20, 68, 2) * 40 + 40
    track[:] = track[:1]
    track[4:7] = torch.nan
    track[12] += 30
    boxes = module._boxes(track)
    assert np.isfinite(boxes).all()
    assert (boxes[4:7] == boxes[3]).all()
    crops = face_crops(torch.full((20, 3, 120, 120), 7, dtype=torch.uint8), track)
    assert (crops == crops[0]).all()  # one frame that jumps is outvoted
    with pytest.raises(MetricError, match="none of 2 frames"):
        face_crops(torch.zeros(2, 3, 50, 50, dtype=torch.uint8), torch.full((2, 68, 2), torch.nan))


def test_what_cannot_be_measured():
    faces, samples = clip()
    for short in ((faces[:5], samples), (faces, samples[:3000])):
        with pytest.raises(MetricError, match="too short for SyncNet"):
            lip_sync(Towers(), *short)
    with pytest.raises(MetricError, match="not finite"):
        lip_sync(Towers(), faces, np.where(np.arange(len(samples)) == 5, np.nan, samples))
    with pytest.raises(ValueError, match="224"):
        lip_sync(Towers(), faces[:, :, :100], samples)
    with pytest.raises(MetricError, match="0 clips"):
        LipSyncError().compute()


def test_clips_are_averaged():
    metric = LipSyncError()
    metric.update(LipSync(8.0, 3.0, 0))
    metric.update(LipSync(10.0, 2.0, -1))
    assert {name: float(value) for name, value in metric.compute().items()} == {"distance": 9, "confidence": 2.5}
