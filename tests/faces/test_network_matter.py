"""A matting network as matte backend: sizes by rule, files of ours and published ones, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.prepare.film import FilmSettings
from datamodules.prepare.photos import PhotoSettings
from datamodules.prepare.setting_checks import settings_facts
from lightning_modules.errors import ConfigError, WeightsError
from lightning_modules.export.network_file import save_network
from lightning_modules.faces.matter import make_matter
from lightning_modules.faces.network_matter import NetworkMatter, network_size
from lightning_modules.networks.frozen.modnet import MODNet
from lightning_modules.networks.landmark_flow import LandmarkFlow
from lightning_modules.pipeline.animation_job import AnimationJob
from lightning_modules.weights.registry import sha256_of


class Brightness(torch.nn.Module):
    """Stands in for a network: the matte is how bright the photo is. Keeps what it was shown."""

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        self.shown = photo
        return (photo.mean(1, keepdim=True) + 1) / 2


@pytest.fixture(scope="module")
def tiny() -> MODNet:
    torch.manual_seed(0)
    return MODNet(width=4, encoder_eighths=1)


@pytest.fixture(scope="module")
def file(tiny: MODNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_network("modnet", tiny, tmp_path_factory.mktemp("weights") / "modnet.safetensors")


@pytest.mark.parametrize(
    ("given", "reference", "native"),
    [
        ((512, 512), (512, 512), (256, 256)),
        ((256, 256), (512, 512), (256, 256)),
        ((300, 400), (512, 672), (256, 320)),  # 682.67 and 341.33 cut down
        ((480, 640), (480, 640), (256, 320)),  # 512 lies between the sides: kept
        ((500, 530), (480, 512), (256, 256)),
        ((1200, 900), (672, 512), (320, 256)),
        ((5, 1000), (32, 992), (256, 51200)),
    ],
)
def test_at_which_size_the_network_sees_a_photo(given, reference, native):
    assert network_size(*given, "reference-512") == reference
    assert network_size(*given, "native-256") == native


def test_the_published_square_is_shown_as_it_is():
    rgb = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    network = Brightness()
    matte = NetworkMatter(network, "native-256").matte(rgb)
    torch.testing.assert_close(network.shown[0].movedim(0, -1), torch.from_numpy(rgb / 127.5 - 1).float())
    assert matte.dtype == np.float32
    np.testing.assert_allclose(matte, rgb.mean(-1) / 255, atol=1e-5)


@pytest.mark.parametrize("size", [(90, 140), (700, 640), (512, 512)])
def test_the_matte_has_the_size_of_the_photo(size):
    ramp = np.linspace(0, 255, size[1])[None].repeat(size[0], 0)
    rgb = np.rint(ramp[..., None].repeat(3, -1)).astype(np.uint8)
    network = Brightness()
    matte = NetworkMatter(network).matte(rgb)
    assert network.shown.shape[2:] == network_size(*size, "reference-512")
    assert matte.shape == size
    np.testing.assert_allclose(matte, ramp / 255, atol=0.02)  # places are kept, not only sizes


def test_a_file_of_ours(tiny, file):
    rgb = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
    with torch.inference_mode():
        expected = tiny(torch.from_numpy(rgb / 127.5 - 1).float().movedim(-1, 0)[None])[0, 0].numpy()
    matter = make_matter("modnet-256", weights=file)
    assert matter.name == "modnet-256"
    np.testing.assert_allclose(matter.matte(rgb), expected, atol=1e-5)
    large = make_matter("modnet", weights=file)
    assert large.name == "modnet"
    assert np.abs(large.matte(rgb) - expected).max() > 1e-3  # the rule counts


def test_the_published_checkpoint(tmp_path):
    network = MODNet()
    from lightning_modules.weights.published_frozen import KINDS

    names = KINDS["modnet"].names_at({})
    state = network.state_dict()
    published = {f"module.{key}": state[own] for key, own in names.items()}
    torch.save(published, tmp_path / "modnet_photographic_portrait_matting.ckpt")
    matter = make_matter("modnet-256", weights=tmp_path / "modnet_photographic_portrait_matting.ckpt")
    own = matter._network.state_dict()
    assert all(torch.equal(own[key], value) for key, value in state.items())


def test_what_is_refused(file, tmp_path):
    with pytest.raises(ConfigError, match=r"needs the weights .* --matte-weights FILE"):
        make_matter("modnet")
    with pytest.raises(ConfigError, match="the matte 'selfie' reads none"):
        make_matter("selfie", weights=file)
    with pytest.raises(WeightsError, match="there is no such weight file"):
        make_matter("modnet", weights=tmp_path / "gone.ckpt")
    other = save_network("flow_regression", LandmarkFlow("residual_unet", 4, 2, 8), tmp_path / "flow.safetensors")
    with pytest.raises(WeightsError, match="holds a flow_regression, and a modnet is asked for"):
        make_matter("modnet", weights=other)
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:2000])
    with pytest.raises(WeightsError, match="damaged"):
        make_matter("modnet", weights=tmp_path / "cut.safetensors")
    with pytest.raises(ConfigError, match="no input rule 'huge'"):
        NetworkMatter(Brightness(), "huge")  # type: ignore[arg-type]


def test_a_job_wants_both_or_neither(file, tmp_path):
    paths = tmp_path / "me.jpg", tmp_path / "hello.wav", tmp_path / "out.mp4"
    assert AnimationJob(*paths, matte="modnet", matte_weights=file).matte_weights == file
    for wrong in ({"matte": "modnet"}, {"matte_weights": file}):
        with pytest.raises(ConfigError):
            AnimationJob(*paths, **wrong)
        with pytest.raises(ConfigError):
            PhotoSettings(**wrong)
        with pytest.raises(ConfigError):
            FilmSettings(**wrong)


def test_a_prepared_set_knows_the_network_by_its_content(file):
    before = settings_facts(PhotoSettings())
    assert "matte_weights" not in before  # sets prepared earlier stay current
    with_network = settings_facts(PhotoSettings(matte="modnet", matte_weights=file))
    assert with_network == before | {"matte": "modnet", "matte_weights": sha256_of(file)}
    assert settings_facts(FilmSettings(matte="modnet", matte_weights=file))["matte_weights"] == sha256_of(file)


class Redness(MODNet):
    """Says how red a pixel is, in place of 6 million parameters; keeps what it was shown."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.trainable = False
        self.one = torch.nn.Parameter(torch.ones(1))

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        self.seen = photo
        return (photo[:, :1] + 1) / 2


def test_the_exact_manner_shows_256_pixels_and_repeats_the_answer():
    rgb = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    network = Redness()
    matte = NetworkMatter(network, exact=True).matte(rgb)
    assert network.seen.shape == (1, 3, 256, 256)
    blocks = rgb[..., 0].reshape(256, 2, 256, 2).mean((1, 3)).astype(np.float64)
    assert matte.shape == (512, 512)
    assert matte.dtype == np.float32
    assert np.array_equal(matte, matte[::2, ::2].repeat(2, 0).repeat(2, 1))
    assert np.abs(matte[::2, ::2] * 255 - blocks).max() <= 0.5 + 1e-3, "shown in 8 bits"
