"""Specimen chips as a kiosk would send them, and a trust store that holds what their state publishes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import numpy as np
from asn1crypto import core
from PIL import Image

from borderpost.documents.chip.domain import ActiveAuthentication, ChipFiles, ChipReading
from borderpost.documents.pki.certificates import Certificate, parse_certificate
from borderpost.documents.pki.crl import parse_crl
from borderpost.documents.pki.signed_data import parse_signed_data
from borderpost.documents.trust.domain import TrustSnapshot
from borderpost.documents.verdict import Check, CheckName
from borderpost.specimens.chip import ChipOrder, SpecimenChip

SIGNED = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
LINES = (
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F3204153ZE184226B<<<<<16",
)
NONCE = bytes.fromhex("00112233445566ff")


def portrait() -> bytes:
    """A picture that is not its own mirror image."""
    out = io.BytesIO()
    noise = np.random.default_rng(7).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((240, 320)).save(out, "PNG")
    return out.getvalue()


def order(**changed: object) -> ChipOrder:
    """The usual order, signed at SIGNED."""
    return ChipOrder(LINES, portrait(), SIGNED, **changed)  # type: ignore[arg-type]


def files_of(chip: SpecimenChip, *, answered: bool = True) -> ChipFiles:
    """What a kiosk sends of a chip: all files, and its answer to NONCE if it has a key."""
    groups = {int(name[2:]): data for name, data in chip.files.items() if name.startswith("DG")}
    active = ActiveAuthentication(NONCE, chip.answer(NONCE)) if chip.key is not None and answered else None
    return ChipFiles(chip.files.get("COM", b""), chip.files.get("SOD", b""), groups, active)


def snapshot(certificates: Iterable[Certificate], lists: Iterable[bytes] = ()) -> TrustSnapshot:
    """A trust store, version 1, of certificates and of revocation lists in DER."""
    by_key_id: dict[bytes, list[Certificate]] = {}
    by_subject: dict[bytes, list[Certificate]] = {}
    for certificate in certificates:
        by_subject.setdefault(certificate.subject, []).append(certificate)
        if certificate.key_id is not None:
            by_key_id.setdefault(certificate.key_id, []).append(certificate)
    parsed = [parse_crl(der) for der in lists]
    return TrustSnapshot(1, by_key_id, by_subject, {found.issuer: found for found in parsed})


def trust_of(chip: SpecimenChip) -> TrustSnapshot:
    """All that the chip's state publishes: every certificate of its master list, and its revocation list."""
    return snapshot(master_list(chip.trust["masterlist.ml"]), [chip.crl])


class _Members(core.SetOf):  # type: ignore[misc]
    _child_spec = core.Any


class _MasterList(core.Sequence):  # type: ignore[misc]
    _fields = [("version", core.Integer), ("certificates", _Members)]  # noqa: RUF012


def master_list(der: bytes) -> list[Certificate]:
    """Every certificate of a CSCA master list (ICAO Doc 9303-12, 9), taken unverified."""
    content = parse_signed_data(der).content
    return [parse_certificate(member.dump()) for member in _MasterList.load(content)["certificates"]]


def by_name(reading: ChipReading) -> Mapping[CheckName, Check]:
    """The checks of a reading by their name."""
    return {check.name: check for check in reading.checks}


def not_passed(reading: ChipReading) -> dict[str, str]:
    """Name and reason of every check that did not pass."""
    return {check.name.value: check.reason for check in reading.checks if check.reason}
