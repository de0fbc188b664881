from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.datasets.decoded import CACHE_NAME, DecodedSet
from datamodules.datasets.pixels import loaded_landmarks, loaded_planes
from datamodules.portraits import PortraitsDataModule
from datamodules.synthetic.portraits import SyntheticPortraitsDataModule
from lightning_modules.batches import TENSOR_FIELDS, PortraitBatch
from lightning_modules.errors import ConfigError, PreparedSetError
from lightning_modules.geometry.nose_offset import nose_offset

_spec = importlib.util.spec_from_file_location(
    "prepared_synthetic_sets", Path(__file__).with_name("prepared_synthetic_sets.py")
)
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    return (
        made.write_photos(root / "photos"),
        made.write_drawings(root / "drawings"),
        made.write_film(root / "film"),
    )


def keys_of(batch):
    return batch.keys()


def module(folders, **options):
    return PortraitsDataModule(
        *folders, **{"image_size": 64, "workers": 0, "validation_photos": 1, "batch_size": 2, **options}
    )


def test_pictures_are_decoded_once_and_stay_the_same(folders, caplog):
    with caplog.at_level("INFO"):
        first = module(folders)
        first.prepare_data()
        decoded = [record.getMessage() for record in caplog.records]
        caplog.clear()
        second = module(folders)
        second.setup()
    assert len(decoded) == 3
    assert not caplog.records
    planes = second.sets.photos.decoded.planes
    assert isinstance(planes, np.memmap)
    assert planes.shape == (6, 8, 72, 72)
    photo = Image.open(folders[0] / "records" / "photo-0" / "photo.png")
    assert np.array_equal(planes[0, :3], np.moveaxis(np.asarray(photo), -1, 0))
    assert len(list((folders[0] / CACHE_NAME).iterdir())) == 1
    assert second.sets.film.decoded.planes.shape == (12, 1, 72, 72)


def test_a_changed_set_is_decoded_again(tmp_path):
    folder = made.write_drawings(tmp_path / "drawings")
    photos, film = made.write_photos(tmp_path / "photos", 2), made.write_film(tmp_path / "film")
    assert len(module((photos, folder, film)).sets.drawings) == 4
    from datamodules.prepare.manifest import write_manifest
    from datamodules.prepare.record_folder import remove_record

    remove_record(folder / "records" / "drawing-2")
    write_manifest(folder)
    assert len(module((photos, folder, film)).sets.drawings) == 3
    assert len(list((folder / CACHE_NAME).iterdir())) == 1
    elsewhere = module((photos, folder, film), cache=tmp_path / "cache")
    assert len(elsewhere.sets.drawings) == 3
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_worker_gets_the_place_of_the_array_not_the_array(folders):
    sets = module(folders).sets
    sent = pickle.dumps(sets.photos.decoded)
    assert len(sent) < 1000
    again = DecodedSet.__new__(DecodedSet)
    again.__setstate__(sets.photos.decoded.__getstate__())
    assert np.array_equal(again.planes, sets.photos.decoded.planes)
    assert again.names == sets.photos.names


def test_the_wrong_folder_is_named(folders, tmp_path):
    photos, drawings, film = folders
    with pytest.raises(PreparedSetError, match="holds prepared drawings, not photos"):
        module((drawings, photos, film)).prepare_data()
    with pytest.raises(PreparedSetError):
        module((tmp_path, drawings, film)).prepare_data()
    one_shot = made.write_film(tmp_path / "short", scenes=("one", "one"))
    with pytest.raises(PreparedSetError, match="two shots"):
        module((photos, drawings, one_shot)).prepare_data()


@pytest.mark.parametrize(
    "wrong",
    [
        {"image_size": 30},
        {"image_size": 66},
        {"drawing_channels": 2},
        {"batch_size": 0},
        {"samples_per_epoch": 0},
        {"validation_photos": -1},
        {"most_turned": 0.0},
        {"seed": -1},
    ],
)
def test_options_out_of_range_are_refused(folders, wrong):
    with pytest.raises(ConfigError):
        module(folders, **wrong)


def test_validation_photos_are_never_trained_on(folders):
    data = module(folders, validation_photos=2, samples_per_epoch=12)
    trained = {key.split("photo ")[1].split(",")[0] for batch in data.train_dataloader() for key in keys_of(batch)}
    kept = {key.split("photo ")[1].split(",")[0] for batch in data.val_dataloader() for key in keys_of(batch)}
    assert len(trained) == 4
    assert len(kept) == 2
    assert not trained & kept
    with pytest.raises(ConfigError, match="6 of 6 photos are kept"):
        module(folders, validation_photos=6).setup()
    assert module(folders, validation_photos=0).val_dataloader() == []


def test_turned_heads_are_not_trained_on(folders):
    every = module(folders, validation_photos=2)
    photos = every.sets.photos
    kept = set(every.samples(training=False).chosen)
    turns = {number: abs(nose_offset(photos.decoded.landmarks[number])) for number in range(6) if number not in kept}
    limit = float(np.median(list(turns.values())))
    some = module(folders, validation_photos=2, most_turned=limit)
    some.setup()
    assert list(every.samples().chosen) == sorted(turns)
    assert list(some.samples().chosen) == sorted(number for number, turn in turns.items() if turn <= limit)
    assert len(some.samples().chosen) < len(turns)
    assert set(some.samples(training=False).chosen) == kept
    with pytest.raises(ConfigError, match="all heads are turned by more than"):
        module(folders, validation_photos=2, most_turned=1e-9).setup()


@pytest.mark.parametrize("channels", [1, 3])
def test_gray_records_serve_both_channel_counts(folders, channels):
    batch = next(iter(module(folders, drawing_channels=channels).train_dataloader()))
    assert batch.drawing.shape == (2, channels, 64, 64)
    assert batch.static_drawing.shape == (2, channels, 64, 64)
    assert batch.adjacent.shape == (2, 2, channels, 64, 64)


def test_pictures_and_landmarks_are_reduced_alike():
    spot = np.zeros((512, 512), np.uint8)
    spot[200:204, 300:304] = 255
    planes = loaded_planes(spot, 286, 1)[0].astype(float)
    center = [(planes * np.arange(286)).sum(), (planes * np.arange(286)[:, None]).sum()]
    center = np.array(center) / planes.sum()
    # Clipped lobes of the filter shift the centre by some hundredths; without half-pixel centres 0.2 would be missing.
    assert np.allclose(center, loaded_landmarks(np.array([[301.5, 201.5]]), 512, 286)[0], atol=0.04)
    colour = np.zeros((8, 8, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    assert loaded_planes(colour, 8, 1)[0, 0, 0] == 76  # 0.299 of 255


class Recorder(lightning.LightningModule):
    """Writes down what it is trained on; its weight depends on every batch."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.seen = []

    def training_step(self, batch: PortraitBatch):
        self.seen += batch.keys()
        value = sum(getattr(batch, name).double().mean() * (i + 1) for i, name in enumerate(TENSOR_FIELDS))
        return (self.weight - value).square().sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.03)


def fit(data, steps, *, resume=None, save=None):
    model = Recorder()
    trainer = lightning.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
    )
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    if save:
        trainer.save_checkpoint(save)
    return model


@pytest.mark.filterwarnings("ignore:.*dataloader.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*num_workers.*")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [2, 3, 5], ids=["mid-epoch", "epoch-end", "second-epoch"])
def test_a_killed_run_goes_on_bit_equal(folders, tmp_path, workers, stop):
    """Three batches an epoch (five photos, rounded up), seven steps in one go or in two."""
    whole = fit(module(folders), 7)
    first = fit(module(folders, workers=workers), stop, save=tmp_path / "half.ckpt")
    second = fit(module(folders, workers=workers), 7, resume=tmp_path / "half.ckpt")
    assert first.seen + second.seen == whole.seen
    assert torch.equal(second.weight, whole.weight)
    assert not torch.equal(first.weight, whole.weight)
    assert len(set(whole.seen)) == 14


def test_two_ranks_see_together_what_one_sees(folders, monkeypatch):
    alone = [key for batch in module(folders, batch_size=1).train_dataloader() for key in keys_of(batch)]
    ranks = []
    for rank in range(2):
        data = module(folders, batch_size=1)
        monkeypatch.setattr(data, "_place", lambda rank=rank: (rank, 2))
        ranks.append([key for batch in data.train_dataloader() for key in keys_of(batch)])
    together = [key for pair in zip(*ranks, strict=True) for key in pair]
    assert together[: len(alone)] == alone
    assert len(ranks[0]) == len(ranks[1]) == 3


def test_the_synthetic_set_is_deterministic_and_says_what_it_is():
    options = {"photos": 3, "drawings": 2, "clips": 2, "clip_frames": 2, "image_size": 64, "validation_photos": 1}
    one, again = (SyntheticPortraitsDataModule(**options) for _ in range(2))
    other = SyntheticPortraitsDataModule(**options, seed=1)
    assert np.array_equal(one.sets.photos.decoded.planes, again.sets.photos.decoded.planes)
    assert not np.array_equal(one.sets.photos.decoded.planes, other.sets.photos.decoded.planes)
    assert all("synthetic photo" in key for batch in one.train_dataloader() for key in keys_of(batch))
    with pytest.raises(ConfigError, match="0 or at least 2 clips"):
        SyntheticPortraitsDataModule(clips=1)
    assert SyntheticPortraitsDataModule(**{**options, "clips": 0}).sets.film is None
