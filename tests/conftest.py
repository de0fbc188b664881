"""What every test gets: one thread, fixed seeds, no network, a cache of its own; and the shared fixtures.

Two folders beside the repository hold larger material. Tests that use it skip when it is not there; the environment
variables INKSPEAK_PARITY and INKSPEAK_DATA name other places for it.
"""

from __future__ import annotations

import logging
import os

# Before any numerical library starts its threads: test processes run side by side, one thread each.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"
os.environ["WANDB_MODE"] = "offline"

import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# A shell starts what it runs in the background deaf to Ctrl-C; the tests of interruption, and the processes they start,
# must hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parent.parent
TRAINING_TESTS = {
    *("audio_to_landmark", "callbacks", "distributed", "landmark_regression", "portrait_gan", "resume"),
    "static_drawing",
}
REMARKS_ON_SMALL_RUNS = ("LeafSpec", "does not have many workers", "no `val_dataloader`", "log_every_n_steps")
THIS_MACHINE = {None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0", socket.gethostname()}


def shared_folder(variable: str, name: str) -> Path:
    """The folder that the environment variable names, or ``../shared/NAME`` beside the repository; else skip."""
    folder = Path(os.environ.get(variable) or REPOSITORY.parent / "shared" / name)
    if not folder.is_dir():
        pytest.skip(f"no {name} folder: not in {variable} and not in ../shared/{name}")
    return folder


@pytest.fixture(scope="session")
def parity() -> Callable[[str], dict[str, np.ndarray]]:
    """``parity("flow_b")`` -> arrays keyed as stored: ``inputs/...``, ``outputs/...``, ``weights/...``."""

    def load(name: str) -> dict[str, np.ndarray]:
        from safetensors.numpy import load_file

        path = shared_folder("INKSPEAK_PARITY", "parity") / f"{name}.safetensors"
        if not path.is_file():
            pytest.skip(f"no parity fixture {path.name}")
        return load_file(path)

    return load


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos, drawings, speech and clips."""
    return shared_folder("INKSPEAK_DATA", "data")


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A real portrait: uint8 (512, 512, 3) RGB. NASA, public domain, inside the scikit-image wheel."""
    from skimage.data import astronaut

    return np.asarray(astronaut())


@pytest.fixture(scope="session")
def two_ranks() -> Callable[..., None]:
    """Run a program as two processes of one group on this machine, and wait until both have ended well."""

    def run(program: Path, *arguments: str, timeout: float = 240) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        processes = [
            subprocess.Popen(
                [sys.executable, str(program), *arguments],
                env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank), "NODE_RANK": "0"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in range(2)
        ]
        try:
            said = [process.communicate(timeout=timeout)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
        assert [process.returncode for process in processes] == [0, 0], "\n".join(said)[-4000:]

    return run


@pytest.fixture(scope="session", autouse=True)
def _session_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Fixtures that live longer than a test must not write into the user's folders either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INKSPEAK_CACHE", str(tmp_path_factory.mktemp("session-cache")))
        patch.setenv("INKSPEAK_WEIGHTS", str(tmp_path_factory.mktemp("session-weights")))
        yield


@pytest.fixture(autouse=True)
def _same_every_time(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An empty cache, no imported weights, seeded generators and one torch thread (torch is not imported for it)."""
    monkeypatch.setenv("INKSPEAK_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("INKSPEAK_WEIGHTS", str(tmp_path_factory.mktemp("weights")))
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  the generator that libraries use behind our back
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)
        torch.set_num_threads(1)


def is_training_test(path: Path) -> bool:
    """Whether a test lies in one of the folders whose tests run a Trainer."""
    return path.relative_to(REPOSITORY / "tests").parts[0] in TRAINING_TESTS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lightning remarks on small runs, and torch on Lightning; neither is what the tests of training are about."""
    for item in items:
        if is_training_test(item.path):
            for remark in REMARKS_ON_SMALL_RUNS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:.*{remark}"))


@pytest.fixture(autouse=True)
def _quiet_training(request: pytest.FixtureRequest) -> None:
    if is_training_test(request.path):
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


@pytest.fixture(autouse=True)
def _offline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches another machine by accident: names do not resolve, exactly as without a network."""
    if request.node.get_closest_marker("network"):
        return
    resolve = socket.getaddrinfo

    def resolve_here(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in THIS_MACHINE:
            raise socket.gaierror(socket.EAI_NONAME, f"tests are offline, and this one asked for {host}")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
