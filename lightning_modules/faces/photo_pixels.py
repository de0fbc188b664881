"""From a decoded image of any mode (grey, palette, CMYK, alpha, 16 bit, float) to upright 8-bit sRGB."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from lightning_modules.faces.photo import RgbPixels

_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PROFILE_MODES = ("RGB", "RGBA", "RGBX", "CMYK", "L", "LAB")


def _first_frame(image: Image.Image, notes: list[str]) -> None:
    """Go to the first frame of an animation and say so."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # the further pictures of an MPO file are previews or the other eye's view
        image.seek(0)
        notes.append(f"first of {frames} frames taken" if image.format != "TIFF" else f"first of {frames} pages taken")


def upright_rgb(
    image: Image.Image, data: bytes, original_size: tuple[int, int], longest_side: int, notes: list[str]
) -> RgbPixels:
    """Pixels ``(H, W, 3)`` of an opened image; appends what was changed to ``notes``.

    Args:
        image: as Pillow opened it, not yet decoded.
        data: the bytes of its file.
        original_size: width and height before any reduced decoding was asked for.
        longest_side: reduce to this.
        notes: receives a phrase for each change.

    Raises:
        OSError, ValueError, SyntaxError and the like: it cannot be decoded.
    """
    _first_frame(image, notes)
    orientation = image.getexif().get(_ORIENTATION, 1)
    image.load()  # also where OpenCV decodes below: it accepts files that end early, and Pillow does not
    deep = _deep_colour(image, data)
    if deep is None and image.mode in _DEEP_MODES:
        deep = np.asarray(image)
    if deep is None:
        picture: Image.Image = image
        orientation = image.getexif().get(_ORIENTATION, 1)  # 1 where decoding has turned it already
    else:
        picture = Image.fromarray(_to_8_bit(deep, notes))
        picture.info["icc_profile"] = image.info.get("icc_profile")
    picture = _without_alpha_on_white(_to_srgb(picture, notes), notes)
    if max(original_size) > longest_side:
        picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if orientation in _TURNS:
        picture = picture.transpose(_TURNS[orientation])
        notes.append("EXIF rotation applied")
    if max(original_size) > longest_side:
        before = original_size if orientation < 5 else original_size[::-1]
        notes.append(f"reduced from {before[0]}×{before[1]} to {picture.width}×{picture.height} pixels")
    return np.array(picture, dtype=np.uint8)


def _deep_colour(image: Image.Image, data: bytes) -> npt.NDArray[np.generic] | None:
    """16-bit colour, which Pillow cuts to its upper byte or cannot hold, by OpenCV; None for all other images.

    Returns:
        ``(H, W, 3|4)`` uint16 or float32 in the order RGB(A), or None.
    """
    if image.format == "PNG":
        # bytes 24 and 25 of the header: bits a channel; 2 = RGB, 4 = grey with alpha, 6 = RGB with alpha
        if data[24] != 16 or data[25] == 0:
            return None
    elif image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(258, (8,))
        if len(bits) < 2 or max(bits) <= 8:
            return None
        if image.tag_v2.get(284) == 2:  # type: ignore[attr-defined]  # neither Pillow nor OpenCV reads these rightly
            raise ValueError("its 16-bit colours are stored in separate planes")
    else:
        return None
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise OSError("the picture cannot be decoded; the file may be truncated")
    if pixels.ndim == 2:
        return pixels
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return np.asarray(pixels[..., order])


def _to_8_bit(pixels: npt.NDArray[np.generic], notes: list[str]) -> npt.NDArray[np.uint8]:
    """Reduce integers of up to 16 bits, or floating point in [0, 1] or [0, 255], to 8 bits."""
    if np.issubdtype(pixels.dtype, np.floating):
        values = pixels.astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError("it holds numbers that are not finite")
        top = 1.0 if values.max(initial=0.0) <= 1.0 else 255.0
        if values.min(initial=0.0) < 0 or values.max(initial=0.0) > 255.0:
            raise ValueError(f"its floating point values run from {values.min():g} to {values.max():g}")
        notes.append("floating point reduced to 8 bit")
    else:
        values = pixels.astype(np.float64)
        brightest = values.max(initial=0.0)
        if values.min(initial=0.0) < 0 or brightest > 65535:
            raise ValueError(f"its values run from {values.min():g} to {brightest:g}, beyond 16 bit")
        # Cameras store 10, 12 or 14 bits in 16: the depth is the smallest that holds the brightest value.
        depth = next(bits for bits in (8, 10, 12, 14, 16) if brightest < 2**bits)
        top = float(2**depth - 1)
        notes.append("16 bit reduced to 8 bit" if depth == 16 else f"{depth} bit stored in 16 reduced to 8 bit")
    return np.asarray(np.rint(values * (255.0 / top)), dtype=np.uint8)


def _to_srgb(picture: Image.Image, notes: list[str]) -> Image.Image:
    """Convert by the embedded colour profile where there is a usable one that is not sRGB already."""
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in _PROFILE_MODES:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" in ImageCms.getProfileDescription(source).lower():
                return picture
            mode = {"RGBA": "RGBA", "L": "L"}.get(picture.mode, "RGB")
            if picture.mode == "L":
                return picture  # a grey profile only bends the tone curve a little; grey stays as stored
            converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode=mode)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.append("colour profile unreadable, ignored")
        else:
            if converted is not None:
                notes.append(("CMYK" if picture.mode == "CMYK" else "colours") + " converted by the embedded profile")
                return converted
    if picture.mode == "CMYK":
        notes.append("CMYK converted without a profile")
        return picture.convert("RGB")
    if picture.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(picture, lab, ImageCms.createProfile("sRGB"), outputMode="RGB")
        if converted is None:
            raise ValueError("its LAB colours cannot be converted")
        return converted
    return picture


def _without_alpha_on_white(picture: Image.Image, notes: list[str]) -> Image.Image:
    """RGB; where the picture is transparent, white shows through."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    with_alpha = picture.convert("RGBA")
    lowest = with_alpha.getchannel("A").getextrema()[0]
    if isinstance(lowest, int | float) and lowest == 255:
        return with_alpha.convert("RGB")
    notes.append("alpha laid on white")
    white = Image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, with_alpha).convert("RGB")
