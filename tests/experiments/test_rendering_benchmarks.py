"""The benchmarks of rendering: all figures are there, and a process that fails is not taken for a fast one."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.benchmarks import first_frame, rendering_order


def test_the_ratio_is_that_of_the_seconds_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(
        rendering_order, "_both", lambda _: (lambda: calls.append("slow"), lambda: calls.append("fast"))
    )
    timed = iter([{"median": 8.0, "low": 6.0, "high": 9.0, "repeats": 3.0}, {"median": 2.0, "low": 1.0, "high": 4.0}])
    monkeypatch.setattr(rendering_order, "time_repeatedly", lambda work, **_: (work(), next(timed))[1])
    found = rendering_order.run(quick=False)
    assert calls == ["slow", "fast"]
    assert found["frames"] == 4
    assert found["seconds_per_frame"]["published"] == {"median": 2.0, "low": 1.5, "high": 2.25, "repeats": 3.0}
    assert found["ratio"] == pytest.approx(4.0)


@pytest.mark.parametrize(("program", "said"), [("print('first frame'); input()", None), ("raise SystemExit(3)", "3")])
def test_the_first_frame_is_waited_for(monkeypatch: pytest.MonkeyPatch, program: str, said: str | None) -> None:
    monkeypatch.setattr(first_frame, "PROGRAM", program)
    if said is None:
        assert 0 < first_frame.seconds_to_first_frame() < 30
    else:
        with pytest.raises(RuntimeError, match=f"ended with {said} before its first frame"):
            first_frame.seconds_to_first_frame()


@pytest.mark.slow
def test_the_first_frame_is_that_of_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert 0.5 < first_frame.seconds_to_first_frame(str(tmp_path)) < 60
    (kept,) = tmp_path.glob("*.safetensors")
    assert kept.stat().st_size > 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_both_orders_of_rendering_run() -> None:
    found = rendering_order.run(quick=True)
    assert found["seconds_per_frame"]["published"]["median"] > 0
    assert found["ratio"] > 1
