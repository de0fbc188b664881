"""A network may draw the photos of a prepared set: it is named among the set's settings and tools, by its content."""

from __future__ import annotations

import pytest
import torch

from datamodules.prepare.photos import PhotoSettings, make_photo_tools
from datamodules.prepare.setting_checks import settings_facts
from lightning_modules.drawing.network_drawer import NetworkDrawer
from lightning_modules.errors import ConfigError
from lightning_modules.export.network_file import save_network
from lightning_modules.networks.static_drawing_generator import StaticDrawingGenerator


@pytest.fixture
def drawing_network(tmp_path):
    torch.manual_seed(0)
    network = StaticDrawingGenerator(width=4)
    return save_network("static_drawing_generator", network, tmp_path / "drawer.safetensors")


def test_the_network_draws_in_place_of_the_look(drawing_network, monkeypatch):
    monkeypatch.setattr("lightning_modules.faces.face_analyzers.make_face_analyzer", lambda _: None)
    monkeypatch.setattr("lightning_modules.faces.matter.make_matter", lambda *_, **__: None)
    drawer = make_photo_tools(PhotoSettings(drawer_weights=drawing_network)).drawer
    assert isinstance(drawer, NetworkDrawer)
    assert drawer.settings()["method"] == "network"
    assert make_photo_tools(PhotoSettings()).drawer.settings()["method"] != "network"


def test_sets_are_told_apart_by_what_the_file_holds_and_older_sets_stay_current(drawing_network):
    plain, drawn = settings_facts(PhotoSettings()), settings_facts(PhotoSettings(drawer_weights=drawing_network))
    assert "drawer_weights" not in plain
    assert drawn.items() - {"drawer_weights": drawn["drawer_weights"]}.items() == plain.items()
    assert str(drawing_network.parent) not in str(drawn)


def test_a_network_that_should_draw_nothing_is_refused(drawing_network):
    with pytest.raises(ConfigError, match="no drawing is asked for"):
        PhotoSettings(look=None, drawer_weights=drawing_network)
