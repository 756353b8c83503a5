"""DG2: the portrait out of both standards' records, in both picture formats, whatever the fields beside it say."""

from __future__ import annotations

import contextlib
import io
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from borderpost.documents.chip.errors import ChipFileError
from borderpost.documents.chip.portrait import MAX_GROUP_BYTES, MAX_PORTRAIT_PIXELS, read_portrait
from borderpost.specimens.der import tlv
from borderpost.specimens.face import FaceFormat, PictureKind, data_group_2
from fakes.chips import portrait

KINDS = [(face, kind) for face in FaceFormat for kind in PictureKind]


def encoded(kind: str, width: int = 60, height: int = 80) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, kind)
    return out.getvalue()


def face_record(
    picture: bytes, points: int = 0, faces: int = 1, longer: int = 0, version: bytes = b"010\0"
) -> bytes:
    """ISO/IEC 19794-5:2005, 5: header, face with feature points, picture header that says nothing, picture."""
    body = 20 + 8 * points + 12 + len(picture) + longer
    face = (
        body.to_bytes(4, "big")
        + points.to_bytes(2, "big")
        + bytes(14)
        + bytes(8 * points)
        + bytes(12)
        + picture
    )
    return b"FAC\0" + version + (14 + body).to_bytes(4, "big") + faces.to_bytes(2, "big") + face


def group(block: bytes, tag: int = 0x5F2E) -> bytes:
    template = tlv(0x7F60, tlv(0xA1, tlv(0x88, b"\0\x08")), tlv(tag, block))
    return tlv(0x75, tlv(0x7F61, tlv(0x02, b"\1"), template))


@pytest.mark.parametrize(("face", "kind"), KINDS)
def test_the_portrait_of_a_specimen_is_returned_as_stored(face, kind):
    data = data_group_2(portrait(), face, kind)
    found = read_portrait(data)
    assert found.picture in data
    with Image.open(io.BytesIO(found.picture)) as image:
        assert (found.width, found.height) == image.size
        assert image.format == ("JPEG" if kind is PictureKind.JPEG else "JPEG2000")


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
@pytest.mark.parametrize("points", [0, 1, 66])
def test_feature_points_are_stepped_over(kind, points):
    picture = encoded(kind)
    for tag in (0x5F2E, 0x7F2E):
        assert read_portrait(group(face_record(picture, points), tag)).picture == picture


@pytest.mark.parametrize(
    "data",
    [
        group(face_record(encoded("PNG"))),
        group(face_record(b"")),
        group(face_record(encoded("JPEG"), faces=0)),
        group(face_record(encoded("JPEG"), longer=1)),
        group(face_record(encoded("JPEG"), version=b"030\0")),
        group(face_record(encoded("JPEG")[:-400])),
        group(b"FAC\0"),
        group(encoded("JPEG")),
        tlv(0x75, tlv(0x7F61, tlv(0x02, b"\0"))),
        tlv(0x75, tlv(0x7F61, tlv(0x7F60, tlv(0xA1, b"")))),
        group(face_record(encoded("JPEG", MAX_PORTRAIT_PIXELS // 1000, 1001))),
        bytes(MAX_GROUP_BYTES + 1),
        b"",
    ],
    ids=["PNG", "no picture", "no face", "too long", "version", "cut off", "short", "bare", "none", "no block",
         "pixels", "bytes", "empty"],
)  # fmt: skip
def test_what_holds_no_portrait_is_a_typed_error(data):
    with pytest.raises(ChipFileError):
        read_portrait(data)


@settings(max_examples=120, deadline=None)
@given(
    which=st.sampled_from(KINDS),
    place=st.integers(0, 2**20),
    octet=st.integers(1, 255),
    keep=st.integers(0, 2**20),
)
def test_damaged_groups_give_a_portrait_or_a_typed_error_and_in_time(which, place, octet, keep):
    sound = _SOUND[which]
    damaged = bytearray(sound)
    damaged[place % min(len(sound), 400)] ^= octet
    for data in (bytes(damaged), sound[: keep % len(sound)]):
        begun = time.perf_counter()
        with contextlib.suppress(ChipFileError):
            assert read_portrait(data).width > 0
        assert time.perf_counter() - begun < 2


_SOUND = {which: data_group_2(portrait(), *which) for which in KINDS}
