"""From folders of published checkpoints to a set: what is found, chosen, refused, and what is there afterwards."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from published_folder import RELATIVE, parallel, random_state, speaker, write_published

from lightning_modules.errors import ConfigError, OutputError
from lightning_modules.export.generator_file import load_generator
from lightning_modules.export.network_file import NETWORKS, load_network
from lightning_modules.portrait_gan_inputs import InputRecipe
from lightning_modules.weights import from_published
from lightning_modules.weights import import_published as module
from lightning_modules.weights.import_published import import_published
from lightning_modules.weights.published import PUBLISHED
from lightning_modules.weights.published_roles import NOT_KEPT, ROLES
from lightning_modules.weights.registry import sha256_of
from lightning_modules.weights.set_networks import set_network, set_table
from lightning_modules.weights.weight_sets import SET_FILE, is_set_folder, read_set, set_folder

# Those with one size only are large: they are in the slow test.
QUICK = set(RELATIVE) - {"matte", "identity_features"}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder of small published checkpoints, to be read only, and what is in it."""
    folder = tmp_path_factory.mktemp("published")
    return folder, write_published(folder, full=False, roles=QUICK)


@pytest.fixture
def official() -> Path:
    return set_folder("official")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def require_imported(folder: Path, states: dict[str, dict[str, torch.Tensor]], found: Path) -> None:
    """Every network of the set holds what the published files hold, and says where it is from."""
    weights = read_set(folder)
    for role, state in states.items():
        member = weights.member(role)
        assert member is not None, role
        stored = load_network(folder / member.file)
        expected = from_published(member.kind, state).state_dict()
        assert stored.kind == member.kind
        assert stored.network.state_dict().keys() == expected.keys()
        for name, value in stored.network.state_dict().items():
            assert torch.equal(value, expected[name]), (role, name)
        source = found / RELATIVE[role]
        assert member.source_sha256 == sha256_of(source)
        assert member.source_file == "/".join(source.parts[-2:])
        assert (member.size, member.sha256) == ((folder / member.file).stat().st_size, sha256_of(folder / member.file))
        assert member.source_sha256 in json.dumps(stored.facts)
        assert member.licence in stored.facts["licence"]


def test_every_file_is_found_by_what_it_holds(published, official):
    folder, states = published
    report = import_published([folder], official)
    assert not report.refused
    assert not report.choices
    assert report.imported == [role.name for role in ROLES if role.name in QUICK]
    assert {member.role for member in report.weights.members} == QUICK
    assert report.weights == read_set(official)
    require_imported(official, states, folder)
    assert len(set_table(report.weights, "training_speakers")) == 6
    assert set_table(report.weights, "feature_statistics")["deviation"].shape == (80,)
    assert set_table(report.weights, "target_speaker")["embedding"].shape == (256,)
    assert {path.name for path in official.iterdir()} == {
        SET_FILE,
        *(member.file for member in read_set(official).members),
    }


def test_a_generator_says_how_it_was_trained(published, official):
    folder, _ = published
    import_published([folder / RELATIVE["cartoon_generator"]], official)
    generator, training = load_generator(read_set(official).path("cartoon_generator"))
    assert (generator.arguments["output_channels"], generator.arguments["compat"]) == (3, "official")
    assert training.recipe == InputRecipe.official()
    assert (training.flow_a, training.image_size, training.separate_foreground) == ("regressed", 256, True)
    assert sha256_of(folder / RELATIVE["cartoon_generator"]) in training.source


def test_importing_again_changes_nothing(published, official):
    folder, _ = published
    import_published([folder / "Module1"], official)
    before = contents(official)
    report = import_published([folder / "Module1" / "checkpoints", folder / "Module1"], official)
    assert not report.remarks, "a file below two of the folders is one file"
    assert contents(official) == before


def test_what_is_not_found_this_time_stays(published, official):
    folder, _ = published
    import_published([folder / "Module1" / "checkpoints"], official)
    first = {member.role for member in read_set(official).members}
    assert first == {"voice_conversion", "content_branch", "speaker_branch", "training_speakers"}
    report = import_published([folder / RELATIVE["flow_regression"]], official)
    assert set(report.kept) == first
    assert {member.role for member in read_set(official).members} == {*first, "flow_regression"}


def test_a_new_file_takes_the_place_of_the_old_one(published, official, tmp_path):
    folder, _ = published
    import_published([folder / RELATIVE["flow_regression"]], official)
    old = read_set(official).path("flow_regression")
    state = random_state("flow_regression", full=False, architecture="residual_unet")
    torch.save(state, tmp_path / "best_net_netF.pth")
    import_published([tmp_path], official)
    new = read_set(official).path("flow_regression")
    assert new != old
    assert not old.exists()
    assert load_network(new).network.arguments["architecture"] == "residual_unet"


def test_one_of_several_files_is_chosen_by_a_rule_or_by_the_user(official, tmp_path):
    for name in ("65_net_G_A.pth", "70_net_G_A.pth", "latest_net_G_A.pth"):
        torch.save(random_state("portrait_generator", full=False), tmp_path / name)
    report = import_published([tmp_path], official)
    assert read_set(official).member("drawing_generator").source_file.endswith("70_net_G_A.pth")
    (told,) = report.choices
    assert told.startswith(f"drawing_generator: {tmp_path / '70_net_G_A.pth'} (named as published, then the highest")
    assert "65_net_G_A.pth" in told
    assert "--pick drawing_generator=FILE" in told
    report = import_published([tmp_path], official, picks={"drawing_generator": tmp_path / "65_net_G_A.pth"})
    assert "(as picked)" in report.choices[0]
    assert read_set(official).member("drawing_generator").source_file.endswith("65_net_G_A.pth")
    before = contents(official)
    for role, path in (("drawing_generator", tmp_path / "x.pth"), ("matte", tmp_path / "65_net_G_A.pth")):
        with pytest.raises(ConfigError, match=f"cannot be the {role}"):
            import_published([tmp_path], official, picks={role: path})
    assert contents(official) == before


def test_the_newest_is_chosen_where_names_say_nothing(official, tmp_path):
    for age, name in enumerate(("a.pth", "b.pth", "c.pth")):
        path = tmp_path / name
        torch.save(random_state("static_drawing_generator", full=False), path)
        os.utime(path, (2000 + age % 2, 2000 + age % 2))  # b is the newest
    import_published([tmp_path], official)
    assert read_set(official).member("static_drawing").source_file.endswith("/b.pth")


def test_copies_discriminators_and_other_files_are_told(official, tmp_path):
    torch.save(random_state("content_branch", full=False), tmp_path / "a.pth")
    shutil.copy(tmp_path / "a.pth", tmp_path / "b.pth")
    torch.save(random_state("patch_discriminator", full=False), tmp_path / "70_net_D_A.pth")
    for name in ("readme.txt", "train_opt.json", "picture.png", "list.npy"):
        (tmp_path / name).write_bytes(b"1 2 3 {not} weights")
    report = import_published([tmp_path], official)
    assert report.skipped == 4
    assert not report.refused
    assert report.imported == ["content_branch"]
    assert f"{tmp_path / 'b.pth'} is the same file as {tmp_path / 'a.pth'}" in report.remarks
    assert any("a patch discriminator, left out" in remark for remark in report.remarks)


def wrong_files(folder: Path) -> dict[str, str]:
    """Files that are no good -> what is told of each."""
    state = random_state("mobilefacenet", full=True)
    whole = folder / "whole.pth"
    torch.save({"state_dict": state}, whole)
    (folder / "half.pth").write_bytes(whole.read_bytes()[:200_000])
    old = folder / "old_half.pth"
    torch.save(state, old, _use_new_zipfile_serialization=False)
    old.write_bytes(old.read_bytes()[:200_000])
    whole.unlink()
    torch.save(parallel(state | {"conv1.conv.weight": torch.zeros(32, 3, 3, 3)}), folder / "wrong.pth")
    generator = random_state("portrait_generator", full=False)
    generator["model3.7.bias"][0] = float("nan")
    torch.save(generator, folder / "nan.pth")
    torch.save({"encoder.weight": torch.zeros(3), "decoder.weight": torch.zeros(3)}, folder / "foreign.pth")
    torch.save([1, 2], folder / "list.pt")
    (folder / "empty.pth").write_bytes(b"")
    (folder / "page.pth").write_text("<!DOCTYPE html><html>Google Drive - Virus scan warning</html>")
    (folder / "packed.tar").write_bytes(b"x" * 257 + b"ustar" + b"\0" * 400)
    (folder / "text.ckpt").write_text("nothing")
    return {
        "half.pth": "damaged",
        "old_half.pth": "damaged",
        "wrong.pth": "it looks like a mobilefacenet, but 'conv1.conv.weight' is (32, 3, 3, 3) instead of (64, 3, 3, 3)",
        "nan.pth": "it is a portrait_generator, but 'model3.7.bias' is not finite",
        "foreign.pth": "it holds 'encoder.weight', 'decoder.weight', which no published network has",
        "list.pt": "it holds a list",
        "empty.pth": "it is empty",
        "page.pth": "it is a page of the web",
        "packed.tar": "it is a tar archive; unpack it",
        "text.ckpt": "damaged",
    }


def test_files_that_are_no_good_get_a_line_each_and_the_rest_is_imported(official, tmp_path):
    expected = wrong_files(tmp_path)
    torch.save(random_state("content_branch", full=False), tmp_path / "good.pth")
    report = import_published([tmp_path], official)
    told = {error.path.name: str(error) for error in report.refused}
    assert told.keys() == expected.keys()
    for name, words in expected.items():
        assert words in told[name], name
        assert told[name].startswith(str(tmp_path / name))
        assert "\n" not in told[name]
    assert report.imported == ["content_branch"]


def test_where_nothing_is_found_nothing_is_written(published, official, tmp_path):
    wrong_files(tmp_path)
    assert import_published([tmp_path], official).imported == []
    assert not official.exists()
    import_published([published[0] / RELATIVE["content_branch"]], official)
    before = contents(official)
    assert import_published([tmp_path], official).imported == []
    assert contents(official) == before


@pytest.mark.parametrize("at", [1, 3])
def test_an_import_that_stops_leaves_the_old_set_as_it_was(published, official, monkeypatch, at):
    folder, _ = published
    calls = []

    def breaks(kind, *arguments, **options):
        calls.append(kind)
        if len(calls) == at:
            raise OutputError("no space is left to write it", "free some space", "x")
        return save(kind, *arguments, **options)

    save = module.save_network
    monkeypatch.setattr(module, "save_network", breaks)
    with pytest.raises(OutputError):
        import_published([folder / "Module1"], official)
    assert not official.exists()
    monkeypatch.setattr(module, "save_network", save)
    import_published([folder / RELATIVE["flow_regression"]], official)
    before = contents(official)
    calls.clear()
    monkeypatch.setattr(module, "save_network", breaks)
    with pytest.raises(OutputError):
        import_published([folder / "Module1"], official)
    assert contents(official) == before


def test_what_does_not_come_back_as_it_was_is_refused(published, official, monkeypatch):
    def spoilt(path):
        stored = load_network(path)
        next(stored.network.parameters()).data[0] += 1e-6
        return stored

    monkeypatch.setattr(module, "load_network", spoilt)
    report = import_published([published[0] / RELATIVE["content_branch"]], official)
    assert "what was stored of it differs at fc_prior.0.weight" in str(report.refused[0])
    assert not official.exists()


def test_files_of_a_set_are_not_imported_again(published, official):
    import_published([published[0] / RELATIVE["content_branch"]], official)
    report = import_published([official.parent], set_folder("other"))
    assert (report.imported, report.refused, report.skipped) == ([], [], 0)
    file = read_set(official).path("content_branch")
    (error,) = import_published([file], set_folder("other")).refused
    assert "inkspeak wrote it" in str(error)


def test_a_folder_that_is_not_there_is_refused(official, tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        import_published([tmp_path / "nowhere"], official)


def test_code_in_a_file_is_not_run(official, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    torch.save({"model": random_state("content_branch", full=False), "more": Evil()}, tmp_path / "evil.pth")
    (error,) = import_published([tmp_path], official).refused
    assert "that could run code" in str(error)
    assert not (tmp_path / "made").exists()


def test_the_table_of_roles_fits_the_register():
    assert len({role.name for role in ROLES}) == len(ROLES)
    assert NOT_KEPT.keys() <= PUBLISHED.keys()
    tables = {"feature_statistics", "target_speaker", "training_speakers"}
    for role in ROLES:
        assert role.kind in {*NETWORKS, *tables, "photo2cartoon"}


def test_a_speaker_in_a_file_of_tensors_is_no_network(official, tmp_path):
    torch.save({"one": speaker(), "two": speaker()}, tmp_path / "people.pth")
    assert import_published([tmp_path], official).imported == ["training_speakers"]


@pytest.mark.slow
def test_the_full_published_shapes_are_imported(official, tmp_path):
    states = write_published(tmp_path, full=True)
    report = import_published([tmp_path], official)
    assert not report.refused
    assert {member.role for member in report.weights.members} == set(RELATIVE)
    require_imported(official, states, tmp_path)
    assert is_set_folder(official)
    for role in ("matte", "identity_features"):
        assert not any(value.requires_grad for value in set_network(read_set(official), role).parameters())
