"""Hostile and damaged documents, made from sound ones by a seed; and what becomes of them, in a process of its own.

    python tests/fakes/hostile_documents.py COUNT SEED SURFACE

SURFACE is page (pictures through the whole reader), zone (MRZ strings), chip (EF.COM, EF.SOD and data groups) or
trust (master lists, LDIF, revocation lists, certificates). Prints, as JSON, how many came to what, which errors were
no typed ones, the slowest call by CPU time (the machine may be busy with other things), and the peak memory.
"""

from __future__ import annotations

import datetime
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from borderpost.documents import mrz
from borderpost.documents.chip.domain import ActiveAuthentication, ChipFiles
from borderpost.documents.chip.read import read_chip
from borderpost.documents.trust.anchors import Rules
from borderpost.documents.trust.domain import NOTHING_TRUSTED, TrustSnapshot
from borderpost.documents.trust.errors import TrustFileRefusedError, TrustFileUnreadableError
from borderpost.documents.trust.importing import examine
from borderpost.documents.verdict import Overall, verdict
from borderpost.runtime.errors import BorderpostError
from borderpost.specimens import batch, pages
from borderpost.specimens.chip import Holder, Issuance, SpecimenChip, make_chip
from fakes import chips, hostile

Chance = random.Random

TODAY = datetime.date(2026, 11, 24)
AT = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


MAX_BYTES = 4 * 1024 * 1024
"""What a kiosk may send of a chip; more is refused before it is looked at."""


# Bytes with tags and lengths.


@dataclass
class Node:
    """A data object of BER: its tag's bytes, and what is in it: other objects, or bytes. `length` overrides."""

    tag: bytes
    inner: list[Node] = field(default_factory=list)
    value: bytes = b""
    length: bytes | None = None

    def encoded(self) -> bytes:
        value = b"".join(each.encoded() for each in self.inner) if self.inner else self.value
        return self.tag + (der_length(len(value)) if self.length is None else self.length) + value

    def every(self) -> Iterator[Node]:
        yield self
        for each in self.inner:
            yield from each.every()


def der_length(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def nodes(data: bytes, depth: int = 0) -> list[Node] | None:
    """The data objects that these bytes are, None if they aren't."""
    found, at = [], 0
    while at < len(data):
        start = at
        at += 1
        if data[start] & 0x1F == 0x1F:
            while at < len(data) and data[at] & 0x80:
                at += 1
            at += 1
        if at >= len(data):
            return None
        tag, length = data[start:at], data[at]
        at += 1
        if length >= 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 4 or at + octets > len(data):
                return None
            length, at = int.from_bytes(data[at : at + octets], "big"), at + octets
        if at + length > len(data):
            return None
        value, at = data[at : at + length], at + length
        deeper = nodes(value, depth + 1) if value and depth < 30 and tag[0] != 0x02 else None
        found.append(Node(tag, deeper or [], b"" if deeper else value))
    return found


def retagged(data: bytes, chance: Chance) -> bytes:
    """The bytes with one data object changed, and the lengths around it right."""
    tree = nodes(data)
    if not tree:
        return hostile.flipped(data, chance)
    every = [node for root in tree for node in root.every()]
    for _ in range(chance.choice((1, 1, 2, 5))):
        chance.choice(CHANGES)(chance.choice(every), every, chance)
    return b"".join(root.encoded() for root in tree)[:MAX_BYTES]


def lying_length(node: Node, every: list[Node], chance: Chance) -> None:
    node.length = chance.choice(
        (b"\x00", b"\x80", b"\x7f", b"\x81\x00", b"\x82\xff\xff", b"\x84\x7f\xff\xff\xff", b"\x84\xff\xff\xff\xff",
         b"\x88" + b"\xff" * 8, b"\xff", b"\x84\x00\x00\x00\x01")
    )  # fmt: skip


def other_tag(node: Node, every: list[Node], chance: Chance) -> None:
    node.tag = chance.choice(
        (chance.choice(every).tag, bytes([chance.randrange(256)]), b"\x7f\x60", b"\x1f\x81\x81\x81\x01")
    )


def other_value(node: Node, every: list[Node], chance: Chance) -> None:
    node.inner = []
    node.value = chance.choice(
        (b"", b"\x00", b"\xff" * 9, bytes(5_000), chance.randbytes(40), node.value[::-1], b"\x02\x01\x00",
         chance.choice(every).value, b"\x7f" * 3_000, "\u0416ö".encode(), b"991332252600Z", b"20261399999999Z")
    )  # fmt: skip


def picture_within(node: Node, every: list[Node], chance: Chance) -> None:
    biggest = max(every, key=lambda each: len(each.value))
    biggest.value = (
        biggest.value[:60] + next(iter(hostile.hostile(1, chance.randrange(1 << 30))))[1][:200_000]
    )


def repeated(node: Node, every: list[Node], chance: Chance) -> None:
    times = chance.choice((2, 300))
    if len(node.encoded()) * times < MAX_BYTES:
        node.inner, node.value = node.inner * times, node.value * times


def nested(node: Node, every: list[Node], chance: Chance) -> None:
    """The object within itself, all the way down."""
    value = node.encoded()
    for _ in range(chance.choice((3, 60, 900))):
        value = node.tag + der_length(len(value)) + value
    node.inner, node.value, node.length = [], value, None


def swapped(node: Node, every: list[Node], chance: Chance) -> None:
    other = chance.choice(every)
    if not any(each is other for each in node.every()) and not any(each is node for each in other.every()):
        node.inner, other.inner = other.inner, node.inner
        node.value, other.value = other.value, node.value


def emptied(node: Node, every: list[Node], chance: Chance) -> None:
    node.inner, node.value = [], b""


CHANGES: tuple[Callable[[Node, list[Node], Chance], None], ...] = (
    lying_length,
    other_tag,
    other_value,
    other_value,
    picture_within,
    repeated,
    nested,
    swapped,
    emptied,
)

BYTES: tuple[Callable[[bytes, Chance], bytes], ...] = (
    hostile.flipped,
    hostile.truncated,
    hostile.shuffled,
    hostile.stuffed,
    retagged,
    retagged,
    retagged,
    retagged,
)


# Surfaces: what is made, and what it is given to.


def a_chip() -> SpecimenChip:
    holder = Holder(full_name="ERIKSSON<<ANNA<MARIA", place_of_birth=("ZENITH",))
    return make_chip(chips.order(holder=holder, issuance=Issuance(authority="DEPARTMENT OF SPECIMENS")))


def chip_surface(seed: int) -> tuple[Callable[[Chance], ChipFiles], Callable[[ChipFiles], str]]:
    chip = a_chip()
    sound = chips.files_of(chip)
    trust = utopia_trusted(chip)

    def make(chance: Chance) -> ChipFiles:
        files = sound
        for _ in range(chance.choice((1, 1, 1, 3))):
            spoil = chance.choice(BYTES)
            which = chance.choice(("COM", "SOD", "SOD", "SOD", "answer", *sound.data_groups))
            if which == "COM":
                files = replace(files, com=spoil(files.com or b"\x60", chance))
            elif which == "SOD":
                files = replace(files, sod=spoil(files.sod or b"\x77", chance))
            elif which == "answer" and files.active:
                files = replace(
                    files,
                    active=ActiveAuthentication(chips.NONCE, spoil(files.active.signature or b"0", chance)),
                )
            elif isinstance(which, int):
                group = spoil(files.data_groups[which] or b"\x00", chance)
                files = replace(files, data_groups={**files.data_groups, which: group})
        if chance.random() < 0.05:
            several = {number: chance.randbytes(chance.randrange(1, 400)) for number in (1, 2, 3, 14, 15, 99)}
            files = ChipFiles(chance.randbytes(50), chance.randbytes(500), several)
        return files

    def use(files: ChipFiles) -> str:
        reading = read_chip(files, trust, AT)
        same = all(
            data == sound.data_groups.get(number) for number, data in files.data_groups.items() if data
        )
        if verdict(reading.checks).overall is Overall.PASS and not same:
            raise ValueError("a chip with other data groups passed")
        failed = [check.reason for check in reading.checks if check.result.value == "FAILED"]
        return str(failed[0]) if failed else "nothing failed"

    return make, use


def utopia_trusted(chip: SpecimenChip) -> TrustSnapshot:
    from borderpost.documents.pki.certificates import parse_certificate  # noqa: PLC0415

    return chips.snapshot([parse_certificate(chip.csca)], [chip.crl])


def trust_surface(seed: int) -> tuple[Callable[[Chance], bytes], Callable[[bytes], str]]:
    chip = a_chip()
    sound = [chip.trust[name] for name in ("masterlist.ml", "crl.crl", "csca.cer", "pkd.ldif")]
    trusted = utopia_trusted(chip)
    rules = Rules(AT, accept_specimens=True)
    taken = examine(chip.trust["pkd.ldif"], trusted, frozenset(), rules)
    issued = {each.certificate.sha256 for each in taken.certificates} | {
        certificate.sha256 for same in trusted.by_subject.values() for certificate in same
    }

    def make(chance: Chance) -> bytes:
        return chance.choice(BYTES)(chance.choice(sound), chance)

    def use(file: bytes) -> str:
        try:
            found = examine(file, trusted if len(file) % 2 else NOTHING_TRUSTED, frozenset(), rules)
        except (TrustFileRefusedError, TrustFileUnreadableError) as error:
            return error.reason
        if not {each.certificate.sha256 for each in found.certificates} <= issued:
            raise ValueError("a certificate was taken that nobody has made")
        return f"{found.kind.value}, refused within it" if found.refused else f"{found.kind.value} taken"

    return make, use


def zone_surface(seed: int) -> tuple[Callable[[Chance], tuple[str, ...]], Callable[[tuple[str, ...]], str]]:
    source = random.Random(seed)  # noqa: S311
    sound = [
        pages.mrz_lines(batch.random_specimen(source, layout)) for layout in mrz.FORMATS for _ in range(8)
    ]
    odd = "abcäЖ<＜«0O1I8B\x00\n\t \u202e\U0001f600٣²"

    def make(chance: Chance) -> tuple[str, ...]:
        lines = list(chance.choice(sound))
        for _ in range(chance.choice((1, 1, 2, 6, 30))):
            row = chance.randrange(len(lines))
            text = lines[row]
            at = chance.randrange(len(text) + 1)
            char = chance.choice(mrz.ALPHABET) if chance.random() < 0.8 else chance.choice(odd)
            lines[row] = chance.choice(
                (text[:at] + char + text[at + 1 :], text[:at] + char + text[at + 1 :], text[:at] + char + text[at:],
                 text[:at] + text[at + 1 :])
            )  # fmt: skip
        if chance.random() < 0.1:
            lines = chance.choice(
                ([], lines[::-1], lines * 50, [lines[0]], ["<" * 44] * 2, ["9" * 30] * 3, ["", ""])
            )
        return tuple(lines)

    def use(lines: tuple[str, ...]) -> str:
        try:
            mapped, repairs = mrz.map_kinds(lines)
            found = mrz.parse(mapped, TODAY)
        except mrz.MrzShapeError:
            return "MRZ_SHAPE"
        return "refuted" if mrz.refuted(found.digits) else "mapped" if repairs else "parsed"

    return make, use


def page_surface(seed: int) -> tuple[Callable[[Chance], bytes], Callable[[bytes], str]]:
    from borderpost.documents.adapters.opencv_portrait import OpenCvPortraitCropper  # noqa: PLC0415
    from borderpost.documents.adapters.two_network_reader import TwoNetworkReader  # noqa: PLC0415
    from borderpost.documents.pages import Pages  # noqa: PLC0415

    documents = Pages(TwoNetworkReader(), OpenCvPortraitCropper(), accept_specimens=True)
    source = random.Random(seed)  # noqa: S311
    sound = [pages.picture(batch.random_specimen(source, layout)) for layout in mrz.FORMATS]
    small = [page.resize((640, round(640 * page.height / page.width))) for page in sound]

    def make(chance: Chance) -> bytes:
        if chance.random() < 0.4:
            data = hostile.encoded(chance.choice(small), chance.choice(("JPEG", "PNG", "JPEG2000")))
            return chance.choice(hostile.MUTATIONS)(data, chance)
        if chance.random() < 0.2:
            return next(iter(hostile.hostile(3, chance.randrange(1 << 30))))[1]
        return hostile.encoded(chance.choice(SCENES)(chance.choice(small), chance), "JPEG")

    def use(data: bytes) -> str:
        try:
            reading = documents.read(data, TODAY)
        except BorderpostError as error:
            return error.reason
        return reading.problem.value if reading.problem else "read"

    return make, use


def cut_up(page: Image.Image, chance: Chance) -> Image.Image:
    left, top = chance.randrange(page.width - 20), chance.randrange(page.height - 20)
    right, bottom = chance.randrange(left + 17, page.width), chance.randrange(top + 17, page.height)
    return page.crop((left, top, right, bottom))


def stretched(page: Image.Image, chance: Chance) -> Image.Image:
    return page.resize(
        chance.choice(((16, 3_000), (3_000, 16), (17, 17), (2_000, 60), (60, 2_000), (1_500, 400)))
    )


def many_zones(page: Image.Image, chance: Chance) -> Image.Image:
    """The same zone over and over: places to look at without end."""
    zone = page.crop((0, page.height - page.height // 4, page.width, page.height))
    many = Image.new("RGB", (zone.width * 2, zone.height * 10), (230, 230, 230))
    for row in range(10):
        many.paste(zone, (chance.randrange(zone.width), row * zone.height))
    return many


def only_lines(page: Image.Image, chance: Chance) -> Image.Image:
    """Text-like bars, close together or far apart."""
    image = Image.new("RGB", (900, 900), (250, 250, 250))
    draw = ImageDraw.Draw(image)
    pitch, height = chance.choice((6, 14, 40)), chance.choice((3, 9, 25))
    for y in range(0, 900, height * 2):
        for x in range(0, 900, pitch):
            draw.rectangle((x, y, x + pitch // 2, y + height), fill=(chance.randrange(90),) * 3)
    return image


def noise(page: Image.Image, chance: Chance) -> Image.Image:
    side = chance.choice((40, 300, 900))
    return Image.fromarray(
        np.random.default_rng(chance.randrange(1 << 30)).integers(0, 256, (side, side, 3), dtype=np.uint8)
    )


def painted_over(page: Image.Image, chance: Chance) -> Image.Image:
    image = page.copy()
    draw = ImageDraw.Draw(image)
    for _ in range(chance.choice((1, 5, 40))):
        x, y = chance.randrange(page.width), chance.randrange(page.height)
        shade = chance.choice(((0, 0, 0), (255, 255, 255), (128, 90, 60)))
        draw.rectangle((x, y, x + chance.randrange(1, 200), y + chance.randrange(1, 60)), fill=shade)
    return image


def turned(page: Image.Image, chance: Chance) -> Image.Image:
    image = page.rotate(chance.uniform(0, 360), expand=True, fillcolor=(chance.randrange(256),) * 3)
    return image.filter(ImageFilter.GaussianBlur(chance.choice((0.3, 1.5, 4))))


SCENES: tuple[Callable[[Image.Image, Chance], Image.Image], ...] = (
    cut_up,
    stretched,
    many_zones,
    only_lines,
    noise,
    painted_over,
    turned,
)

SURFACES: Mapping[str, Callable[[int], tuple[Callable[[Chance], object], Callable[..., str]]]] = {
    "page": page_surface,
    "zone": zone_surface,
    "chip": chip_surface,
    "trust": trust_surface,
}


def main() -> None:
    """Make them all, use them, and report."""
    count, seed, surface = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    make, use = SURFACES[surface](seed)
    use(make(random.Random("warm")))  # noqa: S311  the first call loads what is loaded once
    outcomes: Counter[str] = Counter()
    untyped: list[str] = []
    slowest, peak = (0.0, ""), 0
    for number in range(count):
        case = make(random.Random(f"{seed}/{number}"))  # noqa: S311
        hostile.forget_peak()  # making a case may take more memory than the service may
        started = time.process_time()
        try:
            outcomes[use(case)] += 1
        except Exception as error:
            untyped.append(f"{number}: {type(error).__name__} {error}"[:200])
        slowest = max(slowest, (time.process_time() - started, str(number)))
        peak = max(peak, hostile.peak_bytes())
    report = {
        "outcomes": outcomes,
        "untyped": untyped,
        "slowest": slowest,
        "peak_bytes": peak,
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
