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
faults = []
for _ in range(40):  # it takes some until a fitting piece is free
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(40 << 18)  # 40 MiB, more than glibc ever keeps by itself
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator takes the wish")
def test_freed_memory_is_used_again():
    faults = {
        choice: int(subprocess.run([sys.executable, "-c", FAULTS, choice], capture_output=True, check=True).stdout)
        for choice in ("keep", "leave")
    }
    assert faults["keep"] < 100
    assert faults["leave"] > 4 * faults["keep"]
    assert faults["leave"] * resource.getpagesize() > 20 << 20


def test_other_systems_change_nothing(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert host_memory.keep_freed_memory() is False
