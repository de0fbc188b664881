"""The dashboard of runs: best figures, curves as data, previews inside, names escaped."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from small_runs import NASTY_RUN, write_run

from experiments.__main__ import main
from experiments.pages.run_page import embeddable, evenly, run_page
from experiments.pages.run_records import Medium
from lightning_modules.errors import ReportError


def data_of(page: str) -> dict:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path / "runs/a")
    write_run(tmp_path / "runs" / NASTY_RUN, scale=0.5, identity=3.0)
    return tmp_path / "runs"


def test_curves_of_all_runs_share_a_chart(runs):
    data = data_of(run_page([runs]))
    assert sorted(data["runs"]) == sorted(["a", NASTY_RUN])
    assert (data["axis"], data["counted"]) == ("photos seen", True)
    error = data["charts"]["validation/error"]
    by_run = {data["runs"][series["run"]]: series for series in error}
    drawn = {"dashed": False, "step": [1, 4], "seen": [32, 80], "value": [0.5, 0.25]}
    assert by_run["a"] == drawn | {"run": data["runs"].index("a")}
    assert by_run[NASTY_RUN]["value"] == [0.25, 0.125]
    assert [series["dashed"] for series in data["charts"]["raw/identity"]] == [True, True]
    assert "ablated/identity" not in data["charts"]


def test_the_best_figure_and_its_count(runs):
    page = run_page([runs])
    table = page[page.index('id="best"') : page.index('class="curves"')]
    assert re.findall(r'<td( class="best")?>([\d.]+) <small>at (\d+)</small><small>last ([\d.]+)', table) in (
        [("", "0.2500", "80", "0.2500"), (' class="best"', "0.1250", "80", "0.1250")],
        [(' class="best"', "0.1250", "80", "0.1250"), ("", "0.2500", "80", "0.2500")],
    )
    assert "validation/error ↓" in table


def test_names_cannot_become_markup(runs):
    page = run_page([runs])
    assert NASTY_RUN not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_nothing_is_fetched(runs):
    page = run_page([runs])
    assert "default-src 'none'" in page
    addresses = re.findall(r'\s(?:src|href)="([^"]{0,5})', page)
    assert set(addresses) == {"data:"}
    assert not re.findall(r"https?://", page)


def test_previews_are_inside(runs):
    page = run_page([runs])
    pictures = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 6
    assert Image.open(io.BytesIO(base64.b64decode(pictures[0]))).getpixel((0, 0)) == 255 - 16
    assert page.count('data-video="data:video/mp4;base64,') == 2
    assert "not a preview" not in page
    few = run_page([runs], previews=2)
    assert few.count('<img src="data:image/png') == 4
    assert "2 of 3" in few


def test_a_full_page_leaves_previews_out_and_says_so(runs):
    page = run_page([runs], media_bytes=0)
    assert "8 previews are not embedded" in page
    assert 'id="media"' not in page


def test_a_broken_large_picture_is_said_and_passed_by(runs):
    (runs / "a/previews/photos_000000099.png").write_bytes(b"x" * 400_000)
    page = run_page([runs])
    assert "photos_000000099.png cannot be shown" in page


def test_differences_of_settings(runs):
    page = run_page([runs])
    table = page[page.index('id="differences"') : page.index("<details>")]
    assert table.count("<tr>") == 2
    assert "model.objective.identity" in table
    assert "3.0" in table
    assert 'id="differences"' not in run_page([runs / "a"])


def test_previews_are_evenly_chosen(tmp_path):
    media = [Medium(tmp_path, "s", number) for number in range(101)]
    assert [medium.count for medium in evenly(media, 5)] == [0, 25, 50, 75, 100]
    assert [medium.count for medium in evenly(media, 1)] == [100]
    assert evenly(media, 0) == []
    assert evenly(media[:3], 5) == media[:3]


def test_large_pictures_are_coded_again(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (500, 3000), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    path, content = embeddable(tmp_path / "a.png")
    assert path.suffix == ".webp"
    assert Image.open(io.BytesIO(content)).size == (2000, 333)
    assert len(content) < (tmp_path / "a.png").stat().st_size


def test_the_command_writes_the_page(runs, tmp_path, capsys):
    assert main(["report", str(runs / "a"), "-o", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'page.html'}: 0.")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == run_page([runs / "a"])
    assert main(["report", str(tmp_path / "nothing"), "-o", str(tmp_path / "other.html")]) == 2
    assert capsys.readouterr().err.endswith("there is no such folder; check the path\n")
    assert main(["report"]) == 2
    assert not (tmp_path / "other.html").exists()


def test_a_run_without_anything_to_read_is_refused(tmp_path):
    with pytest.raises(ReportError):
        run_page([tmp_path])
