"""A file that is no usable photo gives one line: the file, what was found, what to do."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from PIL import Image

from lightning_modules.errors import PhotoError
from lightning_modules.faces.photo import Photo, read_photo


def encoded(kind: str, size: tuple[int, int] = (64, 48), **options) -> bytes:
    data = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(data, kind, **options)
    return data.getvalue()


def refusal(path) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert caught.value.remedy
    assert caught.value.exit_code == 2
    return message


CONTENTS = {
    "empty.jpg": (b"", "empty (0 bytes)"),
    "text.jpg": (b"This is a shopping list: milk, eggs.\n" * 20, "not a picture (it holds text)"),
    "noise.png": (bytes(range(256)) * 8, "not a picture (its first bytes are of no known image format)"),
    "header_only.jpg": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "truncated"),
    "page.pdf": (b"%PDF-1.7\n1 0 obj\n", "a PDF document"),
    "iphone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "a HEIC photo"),
    "iphone.jpg": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(200), "a HEIC photo"),
    "clip.mp4": (b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(200), "a video clip"),
    "drawing.svg": (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
    "camera.NEF": (encoded("TIFF"), "a raw camera file"),
    "layers.psd": (b"8BPS\0\1" + bytes(50), "a Photoshop document"),
    "vector.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "a PostScript document"),
    "tiny.png": (encoded("PNG", (31, 200)), "only 31×200 pixels"),
    "one_pixel.png": (encoded("PNG", (1, 1)), "only 1×1 pixels"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_contents(tmp_path, name):
    data, expected = CONTENTS[name]
    path = tmp_path / name
    path.write_bytes(data)
    assert expected in refusal(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "JPEG2000"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated(tmp_path, kind, share):
    data = encoded(kind)
    path = tmp_path / "cut.img"
    path.write_bytes(data[: int(len(data) * share)])
    message = refusal(path)
    assert any(word in message for word in ("truncated", "damaged", "broken")), message


def test_truncated_16_bit_png(tmp_path):
    import cv2

    deep = np.random.default_rng(0).integers(0, 65535, (64, 64, 3), dtype=np.uint16)
    _, data = cv2.imencode(".png", deep)
    path = tmp_path / "cut.png"
    path.write_bytes(data.tobytes()[: len(data) // 2])
    assert "truncated" in refusal(path)


def test_missing_with_a_suggestion(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "nowhere" / "a.jpg")
    (tmp_path / "portrait.jpg").write_bytes(b"x")
    assert "did you mean portrait.jpg?" in refusal(tmp_path / "potrait.jpg")


def test_folder(tmp_path):
    assert "this is a folder" in refusal(tmp_path)


def test_not_an_ordinary_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not an ordinary file" in refusal(tmp_path / "pipe.jpg")


def test_unreadable(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG"))

    def denied(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "read_bytes", denied)  # root reads everything, so the mode bits prove nothing here
    assert "permission denied" in refusal(path)


def test_impossible_names(tmp_path):
    assert "cannot be read" in refusal(tmp_path / ("x" * 300 + ".jpg"))
    with pytest.raises(PhotoError):
        read_photo("nul\0l.jpg")


def test_a_picture_bomb_is_refused_before_it_is_decoded(tmp_path):
    """A PNG header that promises 3.6 gigapixels."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))
    assert "60000×60000 pixels, too many to decode" in refusal(path)


def test_values_that_are_no_brightness(tmp_path):
    values = np.full((40, 40), np.nan, np.float32)
    Image.fromarray(values).save(tmp_path / "nan.tif")
    assert "not finite" in refusal(tmp_path / "nan.tif")
    Image.fromarray(np.full((40, 40), 1e9, np.float32)).save(tmp_path / "far.tif")
    assert "floating point values run from" in refusal(tmp_path / "far.tif")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000"])
def test_damaged_bytes_give_a_photo_or_a_photo_error(tmp_path, kind):
    """Never another exception, whatever the decoder meets."""
    rng = np.random.default_rng(7)
    whole = np.frombuffer(encoded(kind, (40, 33)), np.uint8)
    path = tmp_path / "damaged.img"
    messages = []
    for _ in range(60):
        data = whole.copy()
        places = rng.integers(0, min(len(data), rng.choice([64, 600, len(data)])), rng.integers(1, 12))
        data[places] = rng.integers(0, 256, len(places))
        path.write_bytes(data.tobytes())
        try:
            photo = read_photo(path)
        except PhotoError as error:
            messages.append(str(error))
        else:
            assert isinstance(photo, Photo)
            assert photo.rgb.ndim == 3
    assert messages
    assert not any("\n" in message for message in messages)
