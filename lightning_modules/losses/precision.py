"""Losses are computed in float32 also where the networks run in bfloat16 or float16 under autocast."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_HALVES = (torch.float16, torch.bfloat16)


def _device_type(values: tuple[Any, ...]) -> str:
    for value in values:
        if isinstance(value, Tensor):
            return value.device.type
        if isinstance(value, tuple | list) and value and isinstance(value[0], Tensor):
            return value[0].device.type
    return "cpu"


def _widened(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float() if value.dtype in _HALVES else value
    if isinstance(value, tuple | list) and any(isinstance(item, Tensor) for item in value):
        return [_widened(item) for item in value]
    return value


def in_full_precision(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function of tensors outside autocast, with its half-precision arguments (also in sequences) made float32.

    float32 and float64 stay as they are; gradients reach the half-precision tensors in their own type.
    """

    @functools.wraps(function)
    def computed(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with torch.autocast(_device_type((*args, *kwargs.values())), enabled=False):
            return function(
                *[_widened(value) for value in args],
                **{name: _widened(value) for name, value in kwargs.items()},
            )

    return computed
