"""Hostile and damaged pictures, made from sound ones by a seed; and what becomes of them, in a process of its own.

    python tests/fakes/hostile.py COUNT SEED [look]

decodes COUNT of them and prints, as JSON, how many came to what, which errors were no typed ones, the slowest one
and the process's peak memory. With `look`, what decodes is also searched for a face and assessed.
"""

from __future__ import annotations

import io
import json
import random
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from PIL.PngImagePlugin import PngInfo

Chance = random.Random

JPEG_START = b"\xff\xd8"
PNG_START = b"\x89PNG\r\n\x1a\n"


def scene(side: int = 160) -> Image.Image:
    """Something like a face: an oval with two eyes on noise."""
    noise = np.random.default_rng(side).integers(60, 200, (side, side, 3), dtype=np.uint8)
    image = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))
    oval = Image.new("L", (side, side))
    y, x = np.mgrid[:side, :side] / side - 0.5
    oval.putdata((((x / 0.3) ** 2 + (y / 0.42) ** 2) < 1).astype(np.uint8).ravel() * 255)
    image.paste((190, 150, 130), mask=oval)
    for eye in (0.38, 0.62):
        place = (round(side * eye) - 6, round(side * 0.42) - 3)
        image.paste((20, 20, 20), (*place, place[0] + 12, place[1] + 6))
    return image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of an image."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def sound() -> dict[str, bytes]:
    """One sound picture of every kind that is taken."""
    image = scene()
    deep = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    text = PngInfo()
    text.add_text("comment", "of no weight", zip=True)
    return {
        "jpeg": encoded(image, "JPEG"),
        "jpeg progressive": encoded(image, "JPEG", progressive=True, quality=60),
        "jpeg grey": encoded(image.convert("L"), "JPEG"),
        "jpeg cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "jpeg exif": encoded(image, "JPEG", exif=exif),
        "jpeg icc": encoded(image, "JPEG", icc_profile=bytes(range(256)) * 300),
        "png": encoded(image, "PNG", pnginfo=text),
        "png rgba": encoded(image.convert("RGBA"), "PNG"),
        "png palette": encoded(image.convert("P"), "PNG"),
        "png deep": encoded(deep, "PNG"),
        "png exif icc": encoded(image, "PNG", exif=exif, icc_profile=bytes(3000)),
        "jp2": encoded(image, "JPEG2000"),
        "jp2 rgba": encoded(image.convert("RGBA"), "JPEG2000"),
        "jp2 lossy": encoded(image, "JPEG2000", quality_layers=[40], irreversible=True, num_resolutions=3),
        "j2k": encoded(image, "JPEG2000", no_jp2=True),
    }


# What is done to a sound picture.


def flipped(data: bytes, chance: Chance) -> bytes:
    spoilt = bytearray(data)
    reach = len(data) if chance.random() < 0.5 else min(len(data), 300)
    for _ in range(chance.choice((1, 2, 8, 40))):
        spoilt[chance.randrange(reach)] = chance.randrange(256)
    return bytes(spoilt)


def truncated(data: bytes, chance: Chance) -> bytes:
    return data[: chance.randrange(len(data))]


def shuffled(data: bytes, chance: Chance) -> bytes:
    a, b = sorted(chance.randrange(len(data)) for _ in range(2))
    return chance.choice((data[:a] + data[b:], data[:b] + data[a:], data[:a] + bytes(b - a) + data[b:]))


def stuffed(data: bytes, chance: Chance) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(chance.choice((1, 2, 7, 64, 5_000))) + data[at:]


def wrong_start(data: bytes, chance: Chance) -> bytes:
    starts = (
        JPEG_START,
        PNG_START,
        b"\x00\x00\x00\x0cjP  \r\n\x87\n",
        b"GIF89a",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"",
    )
    return chance.choice(starts) + data[chance.randrange(16) :]


def polyglot(data: bytes, chance: Chance) -> bytes:
    other = chance.choice(list(_SOUND.values()))
    tail = b"<script>alert(1)</script>" + b"PK\x05\x06" + bytes(18)
    return chance.choice((data + other, other[: len(other) // 2] + data, data + tail, tail + data))


def lying_size(data: bytes, chance: Chance) -> bytes:
    """Another width and height than there is: none, tiny, huge."""
    sizes = (0, 1, 15, 16, 161, 2_000, 6_000, 65_535, 0x7FFFFFFF, 0xFFFFFFFF)
    return resized_header(data, chance.choice(sizes), chance.choice(sizes))


def resized_header(data: bytes, width: int, height: int) -> bytes:
    """The picture with another size in its header, checksums mended."""
    if data.startswith(PNG_START):
        return png_chunk_replaced(data, struct.pack(">II", width, height) + data[24:29])
    if data.startswith(JPEG_START):
        at = next(
            (i for i in range(2, len(data) - 9) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2)), None
        )
        if at is None:
            return data
        return data[: at + 5] + struct.pack(">HH", height & 0xFFFF, width & 0xFFFF) + data[at + 9 :]
    return j2k_sized(data, width & 0xFFFFFFFF, height & 0xFFFFFFFF)


def j2k_sized(data: bytes, width: int, height: int, tile: int | None = None) -> bytes:
    """The JPEG 2000 picture with another size in all headers, and with another tile size."""
    spoilt = bytearray(data)
    box = data.find(b"ihdr")
    if box >= 0:
        struct.pack_into(">II", spoilt, box + 4, height, width)
    size = data.find(b"\xff\x4f\xff\x51")
    if size >= 0:
        struct.pack_into(">II", spoilt, size + 8, width, height)
        if tile is not None:
            struct.pack_into(">II", spoilt, size + 24, tile, tile)
    return bytes(spoilt)


def png_chunk_replaced(data: bytes, head: bytes) -> bytes:
    return PNG_START + png_chunk(b"IHDR", head) + data[33:]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


MUTATIONS: tuple[Callable[[bytes, Chance], bytes], ...] = (
    flipped,
    flipped,
    flipped,
    truncated,
    shuffled,
    stuffed,
    wrong_start,
    polyglot,
    lying_size,
)


# What is made to do harm.


def png(*chunks: bytes, size: tuple[int, int] = (64, 64), bits: int = 8, colour: int = 2) -> bytes:
    """A PNG of these chunks."""
    head = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0)
    return PNG_START + png_chunk(b"IHDR", head) + b"".join(chunks) + png_chunk(b"IEND", b"")


_PIXELS = png_chunk(b"IDAT", zlib.compress(bytes(64 * (64 * 3 + 1))))


def png_bomb(chance: Chance) -> bytes:
    width, height = chance.choice(((6_324, 6_324), (40_000, 1_000), (60_000, 60_000), (16, 2_500_000)))
    bits, colour = chance.choice(((1, 0), (8, 2), (16, 6), (8, 3)))
    rows = bytes(chance.choice((1_000, 1_000_000, 40_000_000)))
    palette = png_chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    return png(
        palette, png_chunk(b"IDAT", zlib.compress(rows, 1)), size=(width, height), bits=bits, colour=colour
    )


def png_text_bomb(chance: Chance) -> bytes:
    packed = zlib.compress(bytes(chance.choice((900_000, 2_000_000, 60_000_000))), 9)
    kind, start = chance.choice(
        ((b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"), (b"iCCP", b"k\0\0"), (b"eXIf", b""))
    )
    return png(*[png_chunk(kind, start + packed)] * chance.choice((1, 100)), _PIXELS)


def png_many_chunks(chance: Chance) -> bytes:
    kind = chance.choice((b"tEXt", b"abCd", b"IDAT", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"gAMA"))
    return png(*[png_chunk(kind, chance.randbytes(chance.choice((0, 3, 26))))] * 50_000, _PIXELS)


def png_odd(chance: Chance) -> bytes:
    """Heads that say what can't be."""
    bits, colour = chance.choice((1, 2, 3, 8, 16, 255)), chance.choice((0, 1, 2, 3, 4, 5, 6, 255))
    twice = chance.choice((b"", png_chunk(b"IHDR", struct.pack(">IIBBBBB", 9_000, 9_000, 8, 2, 0, 0, 1))))
    return png(twice, _PIXELS, bits=bits, colour=colour)


def jpeg_segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def jpeg_stuffed(chance: Chance) -> bytes:
    """A JPEG with very many or wrong tables and segments before the picture."""
    body = _SOUND["jpeg"][2:]
    segment = chance.choice(
        (
            jpeg_segment(0xDB, b"\x03" + bytes(64)),
            jpeg_segment(0xDB, bytes(65) * 900),
            jpeg_segment(0xC4, b"\xff" + bytes(16)),
            jpeg_segment(0xC4, b"\x00" + b"\xff" * 16 + bytes(4_080)),
            jpeg_segment(0xFE, bytes(65_000)),
            jpeg_segment(0xE1, b"Exif\0\0" + chance.randbytes(60_000)),
            jpeg_segment(0xE2, b"ICC_PROFILE\0\x01\xff" + bytes(60_000)),
            jpeg_segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + chance.randbytes(200)),
            jpeg_segment(0xED, b"Photoshop 3.0\0" + b"8BIM" * 15_000),
            jpeg_segment(0xEE, b"Adobe\0" + chance.randbytes(8)),
            jpeg_segment(0xDD, chance.randbytes(2)),
            b"\xff" * 60_000,
        )
    )
    return JPEG_START + segment * chance.choice((1, 2, 150)) + body


def jpeg_frame(chance: Chance) -> bytes:
    """A JPEG whose frame says another process, precision, sampling or number of components."""
    data = bytearray(_SOUND[chance.choice(("jpeg", "jpeg progressive", "jpeg grey", "jpeg cmyk"))])
    at = next(i for i in range(2, len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2))
    data[at + 1] = chance.choice((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC9, 0xCA, 0xCB))
    data[at + 4] = chance.choice((8, 8, 12, 16, 0))
    data[at + 9] = chance.choice((1, 2, 3, 4, 5, 255))
    data[at + 11] = chance.choice((0x11, 0x22, 0x44, 0x00, 0xFF))
    return bytes(data)


def jpeg_scans(chance: Chance) -> bytes:
    """A progressive JPEG whose scans come again and again, over as many pixels as it says."""
    data = resized_header(
        _SOUND["jpeg progressive"], *chance.choice(((160, 160), (2_500, 2_500), (6_300, 6_300)))
    )
    first = data.find(b"\xff\xda")
    return data[:-2] + data[first:-2] * chance.choice((1, 5, 30)) + b"\xff\xd9"


def exif_attack(chance: Chance) -> bytes:
    """EXIF directories that point at themselves, count to the sky, or turn the picture by nonsense."""
    order = chance.choice(("<", ">"))

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        return struct.pack(order + "HHII", tag, kind, count, value)

    entries = [
        entry(
            0x0112,
            chance.choice((1, 2, 3, 4, 5, 7, 12, 99)),
            chance.choice((0, 1, 2, 1 << 31)),
            chance.randrange(12),
        ),
        entry(0x8769, 4, 1, chance.choice((8, 0, 14, 1 << 31))),
        entry(0x8825, 4, 1, 8),
        entry(0x010F, 2, chance.choice((4, 60_000, 0xFFFFFFFF)), 8),
        entry(0x927C, 7, 0xFFFFFFFF, 0xFFFFFFFF),
    ]
    entries = chance.sample(entries, chance.randrange(1, len(entries) + 1)) * chance.choice((1, 800))
    head = b"II*\0" if order == "<" else b"MM\0*"
    after = chance.choice((0, 8))
    block = (
        head
        + struct.pack(order + "I", 8)
        + struct.pack(order + "H", len(entries) & 0xFFFF)
        + b"".join(entries)
        + struct.pack(order + "I", after)
    )
    if chance.random() < 0.5:
        return JPEG_START + jpeg_segment(0xE1, b"Exif\0\0" + block[:65_000]) + _SOUND["jpeg"][2:]
    return png(png_chunk(b"eXIf", block), _PIXELS)


def j2k_attack(chance: Chance) -> bytes:
    """JPEG 2000 that lies about sizes, tiles, components, layers and levels."""
    data = bytearray(_SOUND[chance.choice(("jp2", "jp2 rgba", "jp2 lossy", "j2k"))])
    size = data.find(b"\xff\x4f\xff\x51")
    style = data.find(b"\xff\x52", size)
    what = chance.randrange(6)
    if what == 0:
        side = chance.choice((160, 1_000, 2_000))
        return j2k_sized(bytes(data), side, side, tile=chance.choice((1, 2, 16, 0)))
    if what == 1:
        struct.pack_into(">H", data, size + 40, chance.choice((0, 2, 5, 255, 16_384, 65_535)))
    elif what == 2:
        data[size + 42] = chance.choice((0, 15, 37, 127, 255))
    elif what == 3:
        struct.pack_into(">H", data, style + 6, chance.choice((0, 1_000, 65_535)))
    elif what == 4:
        data[style + 9] = chance.choice((0, 32, 33, 255))
    else:
        at = data.find(b"jp2h")
        if at >= 4:
            struct.pack_into(">I", data, at - 4, chance.choice((0, 1, 7, 8, 1 << 31, 0xFFFFFFFF)))
    return bytes(data)


def nested_boxes(chance: Chance) -> bytes:
    """A JP2 whose header box holds header boxes, all the way down."""
    inner = b""
    for _ in range(chance.choice((10, 5_000))):
        inner = struct.pack(">I", (len(inner) + 8) & 0xFFFFFFFF) + b"jp2h" + inner
    jp2 = _SOUND["jp2"]
    return jp2[:32] + inner + jp2[32:]


ATTACKS: tuple[Callable[[Chance], bytes], ...] = (
    png_bomb,
    png_text_bomb,
    png_many_chunks,
    png_odd,
    jpeg_stuffed,
    jpeg_frame,
    jpeg_scans,
    exif_attack,
    j2k_attack,
    j2k_attack,
    nested_boxes,
)

_SOUND = sound()


def hostile(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` pictures and what each is; the same for the same seed. Two of three are mutations."""
    names = sorted(_SOUND)
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")  # noqa: S311
        if number % 3 == 2:
            attack = ATTACKS[number // 3 % len(ATTACKS)]
            yield attack.__name__, attack(chance)
        else:
            name, mutation = chance.choice(names), chance.choice(MUTATIONS)
            yield f"{mutation.__name__} {name}", mutation(_SOUND[name], chance)


def forget_peak() -> None:
    """Begin to count anew (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_bytes() -> int:
    """The most memory that this program had. getrusage would count what had the process before this program, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) * 1024


def main() -> None:
    """Decode them all, and report."""
    from borderpost.runtime.errors import BorderpostError  # noqa: PLC0415
    from borderpost.runtime.pictures import decode_picture  # noqa: PLC0415

    count, seed, look = int(sys.argv[1]), int(sys.argv[2]), "look" in sys.argv
    use = _looker() if look else decode_picture
    outcomes: Counter[str] = Counter()
    untyped: list[str] = []
    slowest = (0.0, "")
    for number, (name, data) in enumerate(hostile(count, seed)):
        started = time.perf_counter()
        try:
            use(data)
            outcomes["decoded"] += 1
        except BorderpostError as error:
            outcomes[error.reason] += 1
        except Exception as error:
            untyped.append(f"{number} {name}: {type(error).__name__}")
        slowest = max(slowest, (time.perf_counter() - started, f"{number} {name}"))
    peak = peak_bytes()
    report = {"outcomes": outcomes, "untyped": untyped, "slowest": slowest, "peak_bytes": peak}
    sys.stdout.write(json.dumps(report) + "\n")


def _looker() -> Callable[[bytes], object]:
    from borderpost.faces.adapters.engines import load_engine  # noqa: PLC0415
    from borderpost.faces.app import Faces  # noqa: PLC0415
    from borderpost.faces.domain import Profile  # noqa: PLC0415
    from borderpost.runtime.calibration import load_calibration  # noqa: PLC0415

    engine = load_engine("dlib")
    faces = Faces(engine, load_calibration(engine.embedder.card.id))
    return lambda data: faces.look(data, "picture", Profile.LIVE)


if __name__ == "__main__":
    main()
