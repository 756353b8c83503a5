"""Pictures from outside: what is refused and how, and that everything else comes out as upright RGB."""

from __future__ import annotations

import io
import random
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from borderpost.runtime.errors import (
    BorderpostError,
    PictureDamagedError,
    PictureEmptyError,
    PictureFormatError,
    PictureTooLargeError,
)
from borderpost.runtime.pictures import MAX_PICTURE_BYTES, decode_picture

ORIENTATION = 0x0112


def _picture(mode: str = "RGB", size: tuple[int, int] = (48, 32)) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, (255, 0, 0))
    image.paste((0, 0, 255), (size[0] // 2, 0, *size))
    return image.convert(mode)


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _bomb(width: int, height: int) -> bytes:
    """Make a PNG of one bit a pixel, all zero: many pixels in few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    # The largest would hold 450 MB even so: its header alone has to be enough.
    rows = bytes(min(((width + 7) // 8 + 1) * height, 8_000_000))
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def test_no_bytes_are_refused_by_the_fields_name() -> None:
    with pytest.raises(PictureEmptyError, match="live_picture: got no bytes") as caught:
        decode_picture(b"", "live_picture")
    assert caught.value.details == {"field": "live_picture"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "JPEG2000"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_picture_is_refused_as_damaged_not_shown_in_part(kind: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = _encoded(Image.fromarray(noise), kind)
    with pytest.raises((PictureDamagedError, PictureFormatError)):
        decode_picture(data[: int(len(data) * share)])


@pytest.mark.parametrize("size", [(10_000, 5_000), (100_000, 100_000 // 64), (60_000, 60_000)])
def test_a_bomb_of_many_pixels_in_few_bytes_is_refused_without_being_decoded(size: tuple[int, int]) -> None:
    data = _bomb(*size)
    assert len(data) < 20_000
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(PictureTooLargeError):
        decode_picture(data)
    seconds = time.monotonic() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 0.2
    assert peak < 1_000_000


def test_more_bytes_than_the_limit_are_refused_before_anything_reads_them() -> None:
    with pytest.raises(PictureTooLargeError, match="bytes"):
        decode_picture(b"\xff\xd8" + bytes(MAX_PICTURE_BYTES))


@pytest.mark.parametrize(
    "data",
    [
        b"Dear officer, this is portrait.jpg",
        b"\x00",
        b"<html></html>",
        b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
    ],
)
def test_bytes_that_are_no_picture_are_refused_whatever_they_were_called(data: bytes) -> None:
    with pytest.raises((PictureFormatError, PictureDamagedError)):
        decode_picture(data)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PDF", "BMP", "TIFF", "PPM"])
def test_a_real_picture_of_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(PictureFormatError, match="no JPEG, PNG or JPEG 2000"):
        decode_picture(_encoded(_picture(), kind))


def test_a_picture_too_small_for_any_face_is_refused() -> None:
    with pytest.raises(PictureFormatError, match="48 × 15"):
        decode_picture(_encoded(_picture(size=(48, 15)), "PNG"))


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "JPEG"),
        ("RGB", "PNG"),
        ("RGB", "JPEG2000"),
        ("RGBA", "PNG"),
        ("P", "PNG"),
        ("CMYK", "JPEG"),
        ("RGBA", "JPEG2000"),
    ],
)
def test_every_way_to_store_colours_comes_out_as_rgb(mode: str, kind: str) -> None:
    rgb = decode_picture(_encoded(_picture(mode), kind))
    assert (rgb.shape, rgb.dtype, rgb.flags.c_contiguous) == ((32, 48, 3), np.uint8, True)
    assert rgb[16, 8, 0] > 200 > int(rgb[16, 8, 2]) + 100, "red on the left"
    assert rgb[16, 40, 2] > 200 > int(rgb[16, 40, 0]) + 100, "blue on the right"


@pytest.mark.parametrize(("mode", "kind"), [("L", "JPEG"), ("L", "PNG"), ("LA", "PNG"), ("1", "PNG")])
def test_grey_comes_out_as_rgb_with_three_equal_channels(mode: str, kind: str) -> None:
    rgb = decode_picture(_encoded(Image.new("L", (32, 32), 255).convert(mode), kind))
    assert rgb.shape == (32, 32, 3)
    assert rgb.min() == 255


@pytest.mark.parametrize(("sample", "wanted"), [(0, 0), (0x8080, 0x80), (0xFFFF, 0xFF)])
def test_sixteen_bits_of_grey_are_scaled_not_cut(sample: int, wanted: int) -> None:
    image = Image.fromarray(np.full((32, 32), sample, np.uint16))
    rgb = decode_picture(_encoded(image, "PNG"))
    assert rgb.shape == (32, 32, 3)
    assert (rgb == wanted).all()


@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [(1, (48, 32), "left"), (3, (48, 32), "right"), (6, (32, 48), "top"), (8, (32, 48), "bottom")],
)
def test_the_exif_orientation_is_applied(orientation: int, size: tuple[int, int], red: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    rgb = decode_picture(_encoded(_picture(), "JPEG", exif=exif, quality=95))
    width, height = size
    assert rgb.shape == (height, width, 3)
    places = {
        "left": rgb[:, :8],
        "right": rgb[:, -8:],
        "top": rgb[:8],
        "bottom": rgb[-8:],
    }
    assert places[red][..., 0].mean() > 200
    assert places[red][..., 2].mean() < 60


def test_text_that_unpacks_to_far_more_is_not_unpacked() -> None:
    info = PngInfo()
    info.add_text("comment", "x" * 50_000_000, zip=True)
    data = _encoded(_picture(), "PNG", pnginfo=info)
    assert len(data) < 200_000
    with pytest.raises(PictureDamagedError):
        decode_picture(data)


_NOISE = Image.fromarray(np.random.default_rng(2).integers(0, 255, (32, 32, 3), dtype=np.uint8))
_VALID = {kind: _encoded(_NOISE, kind) for kind in ("JPEG", "PNG", "JPEG2000")}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(_VALID)), st.integers(0, 2**32), st.integers(1, 8), st.booleans())
def test_a_damaged_picture_is_decoded_or_refused_and_nothing_else_is_raised(
    kind: str, seed: int, changes: int, in_header: bool
) -> None:
    data, chance = bytearray(_VALID[kind]), random.Random(seed)  # noqa: S311
    reach = 64 if in_header else len(data)
    for _ in range(changes):
        data[chance.randrange(reach)] = chance.randrange(256)
    try:
        rgb = decode_picture(bytes(data))
    except (PictureDamagedError, PictureFormatError, PictureTooLargeError):
        return
    assert rgb.shape[2:] == (3,)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"]),
)
def test_random_bytes_are_always_refused_with_a_reason(data: bytes, start: bytes) -> None:
    with pytest.raises(BorderpostError) as caught:
        decode_picture(start + data)
    assert caught.value.reason.startswith("PICTURE_")


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(buffer, "JPEG", progressive=True)
    usual = buffer.getvalue()
    assert decode_picture(usual).shape == (64, 64, 3)
    start = usual.index(b"\xff\xda")
    many = usual[:-2] + usual[start:-2] * 100 + usual[-2:]
    with pytest.raises(PictureTooLargeError, match="scans"):
        decode_picture(many)


def test_a_jpeg_2000_has_a_lower_limit_because_its_decoder_stops_everything_else() -> None:
    buffer = io.BytesIO()
    Image.new("L", (2100, 2100), "white").save(buffer, "JPEG2000")
    with pytest.raises(PictureTooLargeError, match="4,000,000"):
        decode_picture(buffer.getvalue())


def _jpeg_with(head: bytes) -> bytes:
    return b"\xff\xd8" + head + _VALID["JPEG"][2:]


def _png_with(chunks: bytes) -> bytes:
    return _VALID["PNG"][:33] + chunks + _VALID["PNG"][33:]


def _jp2_with(boxes: bytes) -> bytes:
    """In the header box, whose length is mended."""
    data = _VALID["JPEG2000"]
    at = data.index(b"jp2h")
    length = int.from_bytes(data[at - 4 : at], "big") + len(boxes)
    return data[: at - 4] + struct.pack(">I", length) + b"jp2h" + boxes + data[at + 4 :]


_EMPTY_CHUNK = struct.pack(">I", 0) + b"abCd" + struct.pack(">I", zlib.crc32(b"abCd"))


@pytest.mark.parametrize(
    ("data", "excess"),
    [
        pytest.param(_jpeg_with(b"\xff" * 9_000_000), "fill", id="jpeg-fill"),
        pytest.param(_jpeg_with(bytes(9_000_000)), "fill", id="jpeg-junk"),
        pytest.param(_jpeg_with(b"\xff\xfe\x00\x02" * 1_000_000), "segments", id="jpeg-segments"),
        pytest.param(
            _jpeg_with((b"\xff\xed\xff\xff" + b"Photoshop 3.0\0" + b"8BIM" * 16_380)[:65_537] * 150),
            "before its picture data",
            id="jpeg-photoshop",
        ),
        pytest.param(_png_with(_EMPTY_CHUNK * 700_000), "chunks", id="png-chunks"),
        pytest.param(_jp2_with(struct.pack(">I", 8) + b"abcd"), None, id="jp2-one-box-more"),
        pytest.param(_jp2_with((struct.pack(">I", 8) + b"abcd") * 1_000_000), "boxes", id="jp2-boxes"),
        pytest.param(
            _encoded(Image.new("L", (512, 512)), "JPEG2000", tile_size=(4, 4)), "tiles", id="jp2-tiles"
        ),
    ],
)
def test_a_head_that_would_keep_the_reader_busy_for_seconds_is_refused_at_once(
    data: bytes, excess: str | None
) -> None:
    started = time.monotonic()
    if excess is None:
        decode_picture(data)
    else:
        with pytest.raises(PictureTooLargeError, match=excess):
            decode_picture(data)
    assert time.monotonic() - started < 1


def test_a_large_picture_is_not_copied_whole_again_and_again() -> None:
    data = _encoded(Image.new("RGB", (4_000, 3_000), "grey"), "JPEG")
    tracemalloc.start()
    rgb = decode_picture(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * rgb.nbytes
