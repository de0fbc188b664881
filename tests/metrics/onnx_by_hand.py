"""A tiny ONNX file written byte by byte, so that the tests need no ONNX package: a face's mean colours.

The format is that of protocol buffers: a field is a tag (number, kind), then a whole number or a length and its bytes.
"""

from __future__ import annotations


def _number(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _whole(field: int, value: int) -> bytes:
    return _number(field << 3) + _number(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _number(field << 3 | 2) + _number(len(raw)) + raw


def _node(kind: str, given: str, made: str) -> bytes:
    return _bytes(1, _bytes(1, given) + _bytes(2, made) + _bytes(3, kind.lower()) + _bytes(4, kind))


def _tensor(field: int, name: str, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(_bytes(1, _whole(1, side)) for side in shape)
    kind = _bytes(1, _whole(1, 1) + _bytes(2, sizes))  # 1: float32
    return _bytes(field, _bytes(1, name) + _bytes(2, kind))


def mean_colours() -> bytes:
    """A network (1, 3, 112, 112) -> (1, 3): the mean of each channel."""
    graph = _node("GlobalAveragePool", "face", "mean") + _node("Flatten", "mean", "embedding")
    graph += _bytes(2, "mean colours") + _tensor(11, "face", (1, 3, 112, 112)) + _tensor(12, "embedding", (1, 3))
    return _whole(1, 7) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _whole(2, 13))
