from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

from lightning_modules import host_memory

FAULTS = """
import resource, sys
import torch
from lightning_modules.host_memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.zeros(64 << 18)  # 64 MiB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator takes the wish")
def test_freed_memory_is_used_again():
    faults = {
        choice: int(subprocess.run([sys.executable, "-c", FAULTS, choice], capture_output=True, check=True).stdout)
        for choice in ("keep", "leave")
    }
    assert faults["keep"] < 100
    assert faults["leave"] * resource.getpagesize() > 64 << 20 or faults["leave"] > 4 * faults["keep"]


def test_other_systems_change_nothing(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert host_memory.keep_freed_memory() is False
