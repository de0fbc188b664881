"""Stands in W&B's place and fails, hangs or notes, as the test wants it."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any


class FalseWandb(SimpleNamespace):
    """Just what the dashboard calls. ``failing``: names of calls that raise ``OSError``; ``calls``: what was asked."""

    def __init__(self, failing: tuple[str, ...] = (), *, key: bool = False, gate: Any = None) -> None:
        super().__init__(failing=failing, key=key, gate=gate, calls=[], rows=[], summary_figures={}, settings=[])
        self.config = SimpleNamespace(update=lambda values, **_: self._do("config", values))
        self.summary = SimpleNamespace(update=self.summary_figures.update)

    def _do(self, name: str, *given: Any) -> None:
        self.calls.append((name, *given))
        if name in self.failing:
            raise OSError(f"{name} fails")
        if self.gate is not None and name == "log":
            self.gate.wait(30)

    def Settings(self, **given: Any) -> dict[str, Any]:  # noqa: N802  W&B's name
        self.settings.append(given)
        return given

    def login(self, *, prompt: bool, verify: bool) -> bool:
        assert not prompt
        assert not verify
        return self.key

    def init(self, **given: Any) -> FalseWandb:
        self._do(f"init {given['mode']}", given)
        return self

    def define_metric(self, name: str, **given: Any) -> None:
        self._do("define", name, given)

    def log(self, row: dict[str, Any]) -> None:
        self._do("log", row)
        self.rows.append(row)

    def log_artifact(self, artifact: Any, aliases: list[str]) -> None:
        self._do("artifact", artifact, aliases)

    def finish(self, exit_code: int) -> None:
        self._do("finish", exit_code)

    def put_in_place(self, monkeypatch: Any) -> FalseWandb:
        monkeypatch.setitem(sys.modules, "wandb", self)
        return self
