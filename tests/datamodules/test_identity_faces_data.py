"""People and their views: who is held out, which looks are taken, what is measured; nobody is on both sides."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from prepared_synthetic_sets import SIZE, write_photos

from datamodules.datasets.face_looks import MATTE, PLANE_COUNT, PLANES, cartoon, open_faces
from datamodules.datasets.face_samples import LOOKS, MEASURED, FaceViews, face_view
from datamodules.face_tones import ToneSettings
from datamodules.face_warp import NO_WARP, WarpSettings
from datamodules.identity_faces import FaceFolder, IdentityFacesDataModule
from datamodules.prepare.record import read_record
from datamodules.samplers import SampleAddress
from datamodules.synthetic.identity_faces import SyntheticIdentityFacesDataModule
from lightning_modules.errors import ConfigError
from lightning_modules.identity_features import PAIRS, VIEWS


@pytest.fixture(scope="module")
def people():
    data = SyntheticIdentityFacesDataModule(size=96, persons=6, held_out=2, photos=2, batch_size=3)
    data.setup()
    return data


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Six photos of three people in folders of their own, as their names say."""
    folder = write_photos(tmp_path_factory.mktemp("sets") / "photos", 6)
    path = folder / "manifest.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["source"]["name"] = f"person_{number // 2}/{number}.png"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_who_is_in_a_photo():
    folders = FaceFolder("x", person="^([^/]+)/")
    assert [folders.who(name) for name in ("anna/1.png", "anna/2.png", "alone.png")] == ["anna", "anna", "alone.png"]
    smiles = FaceFolder("x", person=r"^(?:(london|canada)\D+(\d+)|(?:lisa|zoom)())")
    names = ["london_neutral/london_neutral_007_03.jpg", "london_smiling/london_smiling_007_08.jpg"]
    assert len({smiles.who(name) for name in names}) == 1
    assert smiles.who("canada/canada_007f.jpg") != smiles.who(names[0])
    assert smiles.who("lisa/lisa_lisa1.jpg") == smiles.who("zoom/zoom_30cm.jpg")
    assert smiles.who("composite/a.jpg") != smiles.who("composite/b.jpg")


@pytest.mark.parametrize(("person", "told"), [("(", "no regular expression"), ("abc", "has no group")])
def test_what_cannot_name_a_person_is_refused(person, told):
    with pytest.raises(ConfigError, match=told):
        FaceFolder("x", person=person)


def test_people_are_held_out_with_all_their_photos(prepared, tmp_path):
    share = FaceFolder(prepared, person="^([^/]+)/", hold_out=0.2, drawn=False)
    data = IdentityFacesDataModule([share], cache=tmp_path)
    trained, held = data.people
    assert {person.name for person in trained}.isdisjoint({person.name for person in held})
    assert [person.name for person in held] == ["person_0"]
    assert len(trained) == 2
    assert all(len(person.photos) == 2 for person in (*trained, *held))
    numbers = [photo.number for person in (*trained, *held) for photo in person.photos]
    assert sorted(numbers) == list(range(6))
    single = IdentityFacesDataModule([FaceFolder(prepared, hold_out=0, drawn=False)], cache=tmp_path)
    assert [len(part) for part in single.people] == [6, 0]
    assert single.val_dataloader() == []
    with pytest.raises(ConfigError, match="0 people are left"):
        IdentityFacesDataModule([FaceFolder(prepared, hold_out=1, drawn=False)], cache=tmp_path).setup()


def test_the_looks_of_a_prepared_photo(prepared, tmp_path):
    faces = open_faces(prepared, SIZE, tmp_path, drawn=False)
    record = read_record(prepared / "records" / faces.names[0])
    assert faces.planes.shape == (6, PLANE_COUNT, SIZE, SIZE)
    assert np.array_equal(np.moveaxis(faces.planes[0, PLANES["photo"]], 0, -1), record.photo)
    assert np.array_equal(np.moveaxis(faces.planes[0, PLANES["cartoon"]], 0, -1), cartoon(record.photo))
    assert np.array_equal(faces.planes[0, MATTE][0], record.matte)
    for look in ("ink", "pencil", "outline"):
        assert np.array_equal(faces.planes[0, PLANES[look]][0], record.drawing)
    drawn = open_faces(prepared, SIZE, tmp_path)  # another array beside it, with two more hands
    assert not np.array_equal(drawn.planes[:, PLANES["pencil"]], faces.planes[:, PLANES["pencil"]])
    assert np.array_equal(drawn.planes[:, PLANES["ink"]], faces.planes[:, PLANES["ink"]])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_cartoon_has_few_tones():
    ramp = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (64, 1))[..., None], 3, axis=-1)
    flat = cartoon(ramp)
    counts = np.bincount(flat[..., 0].ravel(), minlength=256)
    assert np.sort(counts)[::-1][:8].sum() > 0.5 * counts.sum()
    assert np.abs(flat.astype(int) - ramp).mean() < 25


def test_a_sample_is_two_views_in_different_looks_and_follows_from_its_address(people):
    samples, count = people.training_samples()
    assert count == 6
    first, again = samples[SampleAddress(3, 2)], samples[SampleAddress(3, 2)]
    assert first.views.shape == (2, 3, 112, 96)
    assert first.views.min() >= -1
    assert first.views.max() <= 1
    assert torch.equal(first.views, again.views)
    assert (first.person.item(), first.photo.item()) == (2, -1)
    assert not torch.equal(first.views[0], first.views[1])
    assert not torch.equal(first.views, samples[SampleAddress(4, 2)].views)


def test_only_wanted_looks_are_taken(people):
    trained, _ = people.people
    still = ToneSettings(0, 0, 0, 0, 0, 0, 0)
    samples = FaceViews(trained[:1], [0], looks={"photo": 1.0, "ink": 0.5}, warp=NO_WARP, tones=still)
    photos = [face_view(np.random.default_rng(0), photo, "photo", NO_WARP, None) for photo in trained[0].photos]
    inks = [face_view(np.random.default_rng(0), photo, "ink", NO_WARP, None) for photo in trained[0].photos]
    known = [torch.from_numpy(one.copy()).float() / 127.5 - 1 for one in (*photos, *inks)]
    seen, orders = set(), set()
    for cycle in range(24):
        views = samples[SampleAddress(cycle, 0)].views
        found = []
        for view in views:
            distances = [min((view - one).abs().max(), (view.flip(-1) - one).abs().max()).item() for one in known]
            found.append(int(np.argmin(distances)))
            assert min(distances) < 0.01
        assert {number >= 2 for number in found} == {False, True}  # one photo, one ink drawing
        seen |= set(found)
        orders.add(found[0] >= 2)
    assert seen == {0, 1, 2, 3}  # of either photo of the person
    assert orders == {False, True}


def test_the_measured_views(people):
    samples, count = people.validation_samples()
    assert count == 4  # photos of the two held-out people
    sample = samples[SampleAddress(0, 1)]
    assert sample.views.shape == (len(MEASURED), 3, 112, 96)
    assert (sample.person.item(), sample.photo.item()) == (6, 1)  # numbered on after those trained on
    assert torch.equal(sample.views, samples[SampleAddress(7, 1)].views)
    _, held = people.people
    plain = face_view(np.random.default_rng(9), held[0].photos[1], "ink", NO_WARP, None)
    assert torch.equal(sample.views[1], torch.from_numpy(plain.copy()).float() / 127.5 - 1)
    assert not torch.equal(sample.views[1], sample.views[2])
    assert tuple(name for name, _, _ in MEASURED) == VIEWS
    assert {name for pair in PAIRS for name in pair} <= set(VIEWS)


def test_batches_and_resume(people):
    loader = people.train_dataloader()
    batches = list(loader)
    assert [tuple(batch.views.shape) for batch in batches] == [(3, 2, 3, 112, 96)] * 2
    assert sorted(torch.cat([batch.person for batch in batches]).tolist()) == list(range(6))
    state = people.state_dict()
    again = SyntheticIdentityFacesDataModule(size=96, persons=6, held_out=2, photos=2, batch_size=3)
    again.load_state_dict(state)
    assert torch.equal(next(iter(again.train_dataloader())).views, next(iter(loader)).views)


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="crayon"):
        SyntheticIdentityFacesDataModule(looks={"crayon": 1.0, "photo": 1.0})
    with pytest.raises(ConfigError, match="at least two"):
        SyntheticIdentityFacesDataModule(looks=dict.fromkeys(LOOKS, 0.0) | {"ink": 1.0})
    with pytest.raises(ConfigError, match="0 photos each"):
        SyntheticIdentityFacesDataModule(photos=0)
    with pytest.raises(ConfigError, match="no folder"):
        IdentityFacesDataModule([])
    with pytest.raises(ConfigError, match="hold_out of x is 2"):
        FaceFolder("x", hold_out=2)
    assert WarpSettings().mouth > 0
