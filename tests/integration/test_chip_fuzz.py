"""Damaged, mixed and hostile chip files: always a reading, in time and memory, and never a PASS for changed data."""

from __future__ import annotations

import dataclasses
import random
import resource
import time
from collections.abc import Callable

import pytest

from borderpost.documents.chip.domain import ChipFiles
from borderpost.documents.chip.read import read_chip
from borderpost.documents.verdict import CheckName, Overall, Result, verdict
from borderpost.specimens.chip import Holder, Issuance, SpecimenChip, make_chip
from borderpost.specimens.face import FaceFormat, PictureKind
from fakes.chips import SIGNED, by_name, files_of, order, trust_of

SLOWEST = 2.0
MOST_MEMORY = 256 * 1024 * 1024
"""Bytes that all of a run may take beside what the process has."""

Damage = Callable[[random.Random, bytes], bytes]


def flip(draw: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 8, 64))):
        changed[draw.randrange(len(changed))] ^= draw.randrange(1, 256)
    return bytes(changed)


def cut(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.randrange(1, len(data))]


def append(draw: random.Random, data: bytes) -> bytes:
    return data + draw.randbytes(draw.choice((1, 2, 500)))


def insert(draw: random.Random, data: bytes) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + draw.randbytes(draw.choice((1, 3, 40))) + data[place:]


def leave_out(draw: random.Random, data: bytes) -> bytes:
    place = draw.randrange(len(data))
    left = data[:place] + data[place + draw.choice((1, 3, 40)) :]
    return left or data[:1]  # an empty file is one that was not read


LENGTHS = (b"\x84\xff\xff\xff\xff", b"\x80", b"\x89" + b"\xff" * 9, b"\x83\x7f\xff\xff")
NESTS = (b"\x30\x80", b"\x30\x82\x10\x00", b"\xa0\x7f", b"\x7f\x60\x81\xff")


def lengthen(draw: random.Random, data: bytes) -> bytes:
    """A length, or what may be one, becomes a huge one."""
    place = draw.randrange(min(len(data), 60))
    return data[:place] + draw.choice(LENGTHS) + data[place + 1 :]


def repeat(draw: random.Random, data: bytes) -> bytes:
    start = draw.randrange(len(data))
    return data[:start] + data[start : start + 40] * draw.choice((2, 50, 2000)) + data[start:]


def nest(draw: random.Random, data: bytes) -> bytes:
    return data[:4] + draw.choice(NESTS) * draw.choice((10, 2_000)) + data[4:]


def noise(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.choice((0, 2, 4, 20))] + draw.randbytes(draw.randrange(1, 2_000))


KINDS: tuple[Damage, ...] = (flip, flip, cut, append, insert, leave_out, lengthen, repeat, nest, noise)


def sound_chips() -> list[SpecimenChip]:
    details = {"holder": Holder("ERIKSSON<<ANNA", ("X",), "1"), "issuance": Issuance("Ministry")}
    return [
        make_chip(order(**details)),
        make_chip(order(algorithm="rsa-pss-sha256", active="rsa-1024-sha1", lds_version=0)),
        make_chip(order(face_format=FaceFormat.ISO_39794_5, picture=PictureKind.JPEG2000, by_key_id=True)),
    ]


def damaged(draw: random.Random, files: ChipFiles) -> tuple[ChipFiles, str, bool]:
    """The chip with one file damaged; which one, and whether it is really another."""
    names = ["COM", "SOD", "SOD", "ANSWER", *(f"DG{number}" for number in files.data_groups)]
    name, kind = draw.choice(names), draw.choice(KINDS)
    if name == "COM":
        changed = dataclasses.replace(files, com=kind(draw, files.com))
    elif name == "SOD":
        changed = dataclasses.replace(files, sod=kind(draw, files.sod))
    elif name == "ANSWER":
        answer = dataclasses.replace(files.active, signature=kind(draw, files.active.signature))
        changed = dataclasses.replace(files, active=answer)
    else:
        number = int(name[2:])
        groups = {**files.data_groups, number: kind(draw, files.data_groups[number])}
        changed = dataclasses.replace(files, data_groups=groups)
    return changed, name, changed != files


@pytest.mark.parametrize(
    "count", [400, pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])]
)
def test_damaged_chips_are_read_in_time_and_never_pass_with_changed_data(count):
    draw = random.Random(count)  # noqa: S311 the same damage in every run
    chips = [(files_of(chip), trust_of(chip)) for chip in sound_chips()]
    expected = [read_chip(files, trust, SIGNED) for files, trust in chips]
    assert all(verdict(reading.checks).overall is Overall.PASS for reading in expected)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    slowest = 0.0
    for _ in range(count):
        which = draw.randrange(len(chips))
        files, trust = chips[which]
        changed, name, differs = damaged(draw, files)
        begun = time.process_time()
        reading = read_chip(changed, trust, SIGNED)
        slowest = max(slowest, time.process_time() - begun)
        checks = by_name(reading)
        if name.startswith("DG") and differs:
            assert checks[CheckName.DATA_GROUP_HASHES].result is not Result.PASSED
            assert verdict(reading.checks).overall is not Overall.PASS
        if name == "ANSWER" and differs:
            assert checks[CheckName.CLONE_PROTECTION].result is Result.FAILED
        if verdict(reading.checks).overall is Overall.PASS:
            assert reading.mrz == expected[which].mrz
            assert reading.portrait == expected[which].portrait
            assert reading.signer.csca_sha256 == expected[which].signer.csca_sha256
    assert slowest < SLOWEST
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_MEMORY


def test_files_in_each_others_places_are_typed_results():
    files = files_of(make_chip(order()))
    everything = [files.com, files.sod, *files.data_groups.values()]
    for data in everything:
        for name in ("com", "sod"):
            read_chip(dataclasses.replace(files, **{name: data}), trust_of(make_chip(order())), SIGNED)
    mixed = dataclasses.replace(files, data_groups=dict.fromkeys(range(1, 17), files.sod))
    reading = read_chip(mixed, trust_of(make_chip(order())), SIGNED)
    assert verdict(reading.checks).overall is Overall.FAIL
