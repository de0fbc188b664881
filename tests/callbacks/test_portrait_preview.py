"""Previews: what is on the sheet, what the clip says, that training neither waits nor stops for them."""

from __future__ import annotations

import threading

import av
import numpy as np
import pytest
import torch
from measured_portraits import SIZE, KnownDrawer, loader, make_batch, trainer
from PIL import Image

from callbacks import portrait_preview
from callbacks.portrait_preview import COLUMNS, PortraitPreview, sheet_cells
from callbacks.preview_utterances import UTTERANCES
from callbacks.talking_portraits import TalkingFilm
from lightning_modules.errors import AudioError, ConfigError


def fitted(folder, callback, epochs=1, module=None, batches=3, **options):
    module = module or KnownDrawer()
    validation = [make_batch(2, seed) for seed in range(batches)]
    runner = trainer(folder, callback, max_epochs=epochs, num_sanity_val_steps=1, **options)
    runner.fit(module, loader([make_batch(2, 9)] * 2), loader(validation))
    return module


def test_files_are_named_by_the_photos_seen(tmp_path):
    fitted(tmp_path, PortraitPreview(3, seconds=0.4), epochs=2)
    names = sorted(path.name for path in (tmp_path / "previews").iterdir())
    assert names == [
        f"photos_{seen:09d}{end}" for seen in (4, 8) for end in (".png", "_fast.mp4", "_pauses.mp4", "_slow.mp4")
    ]


def test_the_sheet_has_three_rows_of_eight(tmp_path):
    fitted(tmp_path, PortraitPreview(3, seconds=0))
    sheet = np.asarray(Image.open(tmp_path / "previews" / "photos_000000004.png"))
    cell = SIZE + 18 + 6
    assert sheet.shape == (3 * cell + 6 + 18, 8 * (SIZE + 6) + 6, 3)
    assert not list((tmp_path / "previews").glob("*.mp4"))


def test_the_cells_show_what_the_columns_say():
    batch = make_batch(2)
    drawn = np.arange(2 * 2 * SIZE * SIZE * 3, dtype=np.uint8).reshape(2, 2, SIZE, SIZE, 3)
    cells = sheet_cells(batch, drawn)
    assert len(cells) == 2 * len(COLUMNS)
    bytes_of = {name: ((getattr(batch, name)[1] + 1) * 127.5).round().byte().numpy() for name in ("photo", "drawing")}
    np.testing.assert_array_equal(cells[8].transpose(2, 0, 1), bytes_of["photo"])
    np.testing.assert_array_equal(cells[8 + 7][..., 0], bytes_of["drawing"][0])
    np.testing.assert_array_equal(cells[8 + 5], drawn[1, 0])
    np.testing.assert_array_equal(cells[8 + 6], drawn[1, 1])
    for column, points in (
        (2, batch.landmarks[1]),
        (3, batch.target_landmarks[1, 0]),
        (4, batch.target_landmarks[1, 1]),
    ):
        x, y = points[30].round().int().tolist()
        red, green, blue = (int(value) for value in cells[8 + column][y, x])
        assert red > 150 > max(green, blue)


def test_the_films_speak_frame_by_frame(tmp_path):
    module = fitted(tmp_path, PortraitPreview(2, seconds=0.52, fps=25, speakers=2))  # 13 frames: an odd number
    cell = SIZE + 6
    for name in UTTERANCES:
        with av.open(tmp_path / "previews" / f"photos_000000004_{name}.mp4") as clip:
            frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
            assert not clip.streams.audio
        assert len(frames) == 13
        assert frames[0].shape[:2] == (2 * cell + 6, 4 * cell + 6)
        for row, own in enumerate(make_batch(2).photo):
            strip = [frame[6 + row * cell : (row + 1) * cell] for frame in frames]
            photo = ((own + 1) * 127.5).numpy()
            assert np.abs(strip[-1][:, 6:cell].mean() - photo.mean()) < 4
            shades = [frame[:, 6 + 3 * cell : 4 * cell].mean() for frame in strip]  # shaded by the landmarks
            assert np.ptp(shades) > 0.05
    assert module.drawn == 1 + 3 + 1 + 3 * 2  # sanity check, validation, sheet, three films of two portraits


def test_a_recording_is_heard(tmp_path):
    import soundfile

    path = tmp_path / "voice.wav"
    soundfile.write(path, 0.3 * np.sin(np.arange(16000) * 0.2), 16000)
    fitted(tmp_path, PortraitPreview(1, seconds=0.4, speech=str(path)))
    with av.open(tmp_path / "previews" / "photos_000000004_recording.mp4") as clip:
        assert clip.streams.audio
        assert float(clip.duration / av.time_base) == pytest.approx(0.4, abs=0.03)
    with pytest.raises(AudioError):
        fitted(tmp_path, PortraitPreview(1, speech=str(tmp_path / "absent.wav")))


def test_previews_are_spaced(tmp_path):
    fitted(tmp_path, PortraitPreview(1, every_photos=8, seconds=0), epochs=4)
    names = sorted(path.name for path in (tmp_path / "previews").iterdir())
    assert names == ["photos_000000004.png", "photos_000000012.png"]


def test_the_portraits_stay_the_same(tmp_path):
    class Noticing(KnownDrawer):
        def __init__(self):
            super().__init__()
            self.seen = []

        def forward(self, batch):
            self.seen.append(float(batch.photo.sum()))
            return super().forward(batch)

    class Shuffled:
        """Validation in another order every time."""

        def __init__(self):
            self.turn = 0

        def __iter__(self):
            self.turn += 1
            return iter([make_batch(2, self.turn * 10 + number) for number in range(2)])

    module = Noticing()
    runner = trainer(tmp_path, PortraitPreview(3, seconds=0), max_epochs=2, num_sanity_val_steps=0)
    runner.fit(module, loader([make_batch(2, 9)]), Shuffled())
    assert module.seen[2] == module.seen[5]
    assert module.seen[0] != module.seen[3]


def test_writing_happens_elsewhere_and_its_failure_is_a_warning(tmp_path, monkeypatch):
    threads = []

    def fails(path, image):
        threads.append(threading.current_thread())
        raise OSError("no space")

    monkeypatch.setattr(portrait_preview, "save_image", fails)
    with pytest.warns(UserWarning, match="preview at 4 photos could not be written: no space"):
        fitted(tmp_path, PortraitPreview(1, seconds=0))
    assert threads
    assert threads[0] is not threading.main_thread()
    assert not any(thread.name.startswith("preview") for thread in threading.enumerate())


def test_wandb_gets_paths_and_the_number_of_photos(tmp_path, monkeypatch):
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    logged, steps = [], []

    class Run:
        def log(self, media, **options):
            logged.append(media)
            steps.append(options)

    class Logger(WandbLogger):
        def __init__(self):  # no run, no network
            pass

        experiment = Run()

    made = []
    monkeypatch.setattr(wandb, "Image", lambda path, caption: made.append(("image", path, caption)) or "image")
    monkeypatch.setattr(
        wandb, "Video", lambda path, **given: made.append((given["format"], path, given["caption"])) or "video"
    )
    runner = trainer(tmp_path)
    runner._loggers = [Logger()]
    sheet, clip = tmp_path / "a.png", tmp_path / "a.mp4"
    film = TalkingFilm(clip, make_batch(1), torch.zeros(1, 2, 68, 2), np.zeros((1, 2, 4, 4, 3), np.uint8), None)
    portrait_preview._show(runner, portrait_preview._Pictures(12800, sheet, [], {"slow": film}))
    assert logged == [{"preview/portraits": "image", "seen/samples": 12800, "preview/talking_slow": "video"}]
    assert steps == [{}]  # never a step of our own
    assert made == [("image", str(sheet), "after 12,800 photos"), ("mp4", str(clip), "slow, after 12,800 photos")]


def test_colour_styles_are_shown_too(tmp_path):
    cells = sheet_cells(make_batch(1, channels=3), np.zeros((1, 2, SIZE, SIZE, 3), np.uint8))
    assert all(cell.shape == (SIZE, SIZE, 3) for cell in cells)


@pytest.mark.parametrize(
    "options", [{"portraits": 0}, {"speakers": 0}, {"every_photos": 0}, {"seconds": -1.0}, {"fps": 0.0}]
)
def test_impossible_numbers_are_refused(options):
    with pytest.raises(ConfigError, match="previews of"):
        PortraitPreview(**options)


def test_nothing_enters_the_module(tmp_path):
    module = fitted(tmp_path, PortraitPreview(2, seconds=0.2))
    assert set(module.state_dict()) == {"shade"}
    assert torch.is_grad_enabled()
