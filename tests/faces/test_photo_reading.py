"""Whatever a file holds becomes upright 8-bit RGB, and what was changed is said."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from lightning_modules.faces.photo import photo_from_pixels, read_photo

HEIGHT, WIDTH = 40, 56


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth ramps, so that lossy formats stay close; no symmetry."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([4 * x, 5 * y, 255 - 2 * x - 2 * y], axis=-1).astype(np.uint8)


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def test_pixels_hash_and_path(tmp_path, picture):
    path = saved(tmp_path / "a.png", Image.fromarray(picture))
    photo = read_photo(path)
    assert photo.path == path
    assert photo.rgb.dtype == np.uint8
    assert np.array_equal(photo.rgb, picture)
    assert photo.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert photo.notes == ()


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.bmp", "a.tif", "a.gif", "a.ppm", "a.jp2", "a.avif"])
def test_formats(tmp_path, picture, name):
    photo = read_photo(saved(tmp_path / name, Image.fromarray(picture)))
    assert photo.rgb.shape == picture.shape
    assert np.abs(photo.rgb.astype(int) - picture).mean() < 8


@pytest.mark.parametrize("folder", ["mit Leerzeichen", "фото", "写真 📷", 'it\'s "quoted"'])
def test_odd_paths(tmp_path, picture, folder):
    (tmp_path / folder).mkdir()
    assert np.array_equal(read_photo(str(saved(tmp_path / folder / "ä b.png", Image.fromarray(picture)))).rgb, picture)


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.jpg"])
def test_exif_rotation(tmp_path, picture, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"a.webp": {"lossless": True}, "a.jpg": {"quality": 98, "subsampling": 0}}.get(name, {})
    photo = read_photo(saved(tmp_path / name, Image.fromarray(picture), exif=exif, **lossless))
    expected = TURNS[orientation](picture)
    assert photo.rgb.shape == expected.shape
    assert np.abs(photo.rgb.astype(int) - expected).max() <= (12 if name == "a.jpg" else 0)
    if name != "a.tif":  # Pillow turns TIFF pictures while it decodes them
        assert ("EXIF rotation applied" in photo.notes) == (orientation != 1)


def test_alpha_is_laid_on_white(tmp_path, picture):
    alpha = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    photo = read_photo(saved(tmp_path / "a.png", Image.fromarray(np.dstack([picture, alpha]))))
    share = alpha[..., None] / 255
    assert np.abs(photo.rgb - (picture * share + 255 * (1 - share))).max() <= 1
    assert photo.notes == ("alpha laid on white",)


def test_opaque_alpha_changes_nothing(tmp_path, picture):
    opaque = np.full((HEIGHT, WIDTH), 255, np.uint8)
    photo = read_photo(saved(tmp_path / "a.png", Image.fromarray(np.dstack([picture, opaque]))))
    assert np.array_equal(photo.rgb, picture)
    assert photo.notes == ()


def test_transparent_palette_and_grey(tmp_path, picture):
    palette = Image.fromarray(picture).quantize(16)
    index = palette.getpixel((5, 5))
    photo = read_photo(saved(tmp_path / "p.png", palette, transparency=index))
    assert tuple(photo.rgb[5, 5]) == (255, 255, 255)
    assert "alpha laid on white" in photo.notes
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    with_alpha = Image.merge("LA", [Image.fromarray(grey), Image.new("L", (WIDTH, HEIGHT), 255)])
    for image in (Image.fromarray(grey), with_alpha):
        photo = read_photo(saved(tmp_path / "l.png", image))
        assert np.array_equal(photo.rgb, np.repeat(grey[..., None], 3, axis=2))


def test_one_bit(tmp_path):
    bits = np.indices((40, 40)).sum(0) % 2 == 0
    photo = read_photo(saved(tmp_path / "a.png", Image.fromarray(bits)))
    assert np.array_equal(photo.rgb[..., 0], bits * 255)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey(tmp_path, name):
    deep = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    photo = read_photo(saved(tmp_path / name, Image.fromarray(deep)))
    assert np.abs(photo.rgb - np.rint(deep / 257)[..., None]).max() == 0
    assert photo.notes == ("16 bit reduced to 8 bit",)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour(tmp_path, picture, name, channels):
    import cv2

    deep = picture.astype(np.uint16) * 257
    deep[0, 0] = 300, 400, 65535  # values that the upper byte alone would round wrongly
    stored = deep[..., ::-1]
    if channels == 4:
        stored = np.dstack([stored, np.full((HEIGHT, WIDTH), 65535, np.uint16)])
    path = tmp_path / name
    assert cv2.imwrite(str(path), stored)
    photo = read_photo(path)
    assert np.array_equal(photo.rgb, np.rint(deep / 257))
    assert photo.notes == ("16 bit reduced to 8 bit",)


def test_12_bits_stored_in_16_are_not_black(tmp_path):
    deep = np.linspace(0, 4095, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    photo = read_photo(saved(tmp_path / "a.png", Image.fromarray(deep)))
    assert photo.rgb.max() == 255
    assert photo.notes == ("12 bit stored in 16 reduced to 8 bit",)


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_floating_point(tmp_path, top):
    values = np.linspace(0, top, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    photo = read_photo(saved(tmp_path / "a.tif", Image.fromarray(values)))
    assert np.abs(photo.rgb[..., 0] - values * (255 / top)).max() <= 0.51


def test_cmyk_without_profile(tmp_path, picture):
    cmyk = Image.fromarray(picture).convert("CMYK")
    photo = read_photo(saved(tmp_path / "a.tif", cmyk))
    assert np.abs(photo.rgb.astype(int) - picture).max() <= 1
    assert photo.notes == ("CMYK converted without a profile",)
    photo = read_photo(saved(tmp_path / "a.jpg", cmyk, quality=95))
    assert np.abs(photo.rgb.astype(int) - picture).mean() < 6


def profile(space: bytes, tags: dict[bytes, bytes], pcs: bytes) -> bytes:
    """A version 2 colour profile of the given tags, put together by hand."""
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"\0\0\0\0", 0x02400000, kind, space, pcs)
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + struct.pack(">3I", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in (x, y, z)))


def description(text: str) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text.encode() + b"\0" * 79


def test_rgb_profile_is_applied(tmp_path, picture):
    """A profile whose red is sRGB's blue and whose blue is its red: the channels come out exchanged."""
    red, green, blue = (0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)
    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    tags = {
        b"desc": description("exchanged"), b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(*blue), b"gXYZ": xyz(*green), b"bXYZ": xyz(*red),
        b"rTRC": gamma, b"gTRC": gamma, b"bTRC": gamma,
    }  # fmt: skip
    path = saved(tmp_path / "a.png", Image.fromarray(picture), icc_profile=profile(b"RGB ", tags, b"XYZ "))
    photo = read_photo(path)
    assert photo.notes == ("colours converted by the embedded profile",)
    bright = picture.min(-1) > 40  # sRGB's curve differs from a pure power in the dark
    assert np.abs(photo.rgb[..., ::-1].astype(int) - picture)[bright].max() <= 4


def test_cmyk_profile_is_applied(tmp_path):
    """A press whose inks are all grey: any ink darkens, none colours. Without its profile, cyan ink would be cyan."""
    identity = bytes(range(256))
    corners = bytes(
        value
        for inks in range(16)  # lightness 255 without ink, 0 with all four; a and b neutral
        for value in (255 - 255 * inks.bit_count() // 4, 128, 128)
    )
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    tags = {
        b"desc": description("grey inks"),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"A2B0": table + identity * 4 + corners + identity * 3,
    }
    cyan = Image.new("CMYK", (WIDTH, HEIGHT), (255, 0, 0, 0))
    photo = read_photo(saved(tmp_path / "a.tif", cyan, icc_profile=profile(b"CMYK", tags, b"Lab ")))
    assert photo.notes == ("CMYK converted by the embedded profile",)
    red, green, blue = photo.rgb[20, 20].astype(int)
    assert abs(red - green) <= 3
    assert abs(green - blue) <= 3
    assert abs(red - 185) <= 4  # lightness 75 in sRGB
    plain = read_photo(saved(tmp_path / "b.tif", cyan))
    assert tuple(plain.rgb[20, 20]) == (0, 255, 255)


def test_srgb_profile_changes_nothing_and_a_broken_one_is_announced(tmp_path, picture):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = read_photo(saved(tmp_path / "a.png", Image.fromarray(picture), icc_profile=srgb))
    assert np.array_equal(photo.rgb, picture)
    assert photo.notes == ()
    photo = read_photo(saved(tmp_path / "b.png", Image.fromarray(picture), icc_profile=b"no profile at all"))
    assert np.array_equal(photo.rgb, picture)
    assert photo.notes == ("colour profile unreadable, ignored",)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_first_frame_of_an_animation(tmp_path, name):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ((200, 30, 30), (30, 200, 30), (30, 30, 200))]
    path = saved(tmp_path / name, frames[0], save_all=True, append_images=frames[1:])
    photo = read_photo(path)
    assert np.abs(photo.rgb[20, 20].astype(int) - (200, 30, 30)).max() < 12
    assert photo.notes == ("first of 3 frames taken",)


def test_a_large_photo_is_reduced(tmp_path):
    y, x = np.mgrid[0:600, 0:900]
    large = np.stack([x * 255 // 899, y * 255 // 599, 0 * x], axis=-1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, options in {"a.png": {}, "a.jpg": {"quality": 95}}.items():
        photo = read_photo(saved(tmp_path / name, Image.fromarray(large), exif=exif, **options), longest_side=300)
        assert photo.rgb.shape == (300, 200, 3)
        assert photo.notes == ("EXIF rotation applied", "reduced from 600×900 to 200×300 pixels")
        assert np.abs(photo.rgb[2:-2, 2:-2, 0].astype(int) - np.linspace(0, 255, 300)[2:-2, None]).max() < 6


def test_a_photo_beyond_the_limit_against_bombs_is_decoded_reduced(tmp_path):
    """Pillow refuses more than 179 megapixels; as JPEG they decode at an eighth."""
    path = tmp_path / "huge.jpg"
    Image.new("L", (15000, 13000), 128).save(path, quality=20)
    limit = Image.MAX_IMAGE_PIXELS
    photo = read_photo(path, longest_side=1024)
    assert photo.rgb.shape == (887, 1024, 3)
    assert photo.notes == ("reduced from 15000×13000 to 1024×887 pixels",)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_photo_from_pixels(picture):
    photo = photo_from_pixels(picture, notes=("from memory",))
    assert photo.path is None
    assert photo.notes == ("from memory",)
    assert photo.sha256 != photo_from_pixels(picture.transpose(1, 0, 2)).sha256
    assert photo.sha256 == photo_from_pixels(picture.copy()).sha256
    with pytest.raises(ValueError, match="uint8"):
        photo_from_pixels(picture.astype(np.float32))


def test_the_file_is_read_once_and_never_written(tmp_path, picture):
    path = saved(tmp_path / "a.png", Image.fromarray(picture))
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    path.chmod(0o444)
    read_photo(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_mpo_is_one_photo(tmp_path, picture):
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "MPO", save_all=True, append_images=[Image.fromarray(picture[::-1])])
    path = tmp_path / "a.jpg"
    path.write_bytes(data.getvalue())
    assert read_photo(path).notes == ()
