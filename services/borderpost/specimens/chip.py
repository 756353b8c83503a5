"""Specimen chips of Utopia: the files of a chip, its key, and what its state publishes (ICAO Doc 9303-10, 4).

Written from the standards and not from the verifier, whose tests these chips are for: nothing here is shared with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import Enum
from typing import Final

from asn1crypto import core

from borderpost.documents.mrz import PartialDate, format_of
from borderpost.runtime.errors import BorderpostError
from borderpost.specimens.active import ACTIVE_ALGORITHMS, DEFAULT_ACTIVE, ChipKey
from borderpost.specimens.cms import Signer, signed_data
from borderpost.specimens.der import NULL, integer, octets, printable, sequence, set_of, tlv, unsigned
from borderpost.specimens.face import FaceFormat, PictureKind, data_group_2
from borderpost.specimens.pki import Pki, utopia
from borderpost.specimens.signing import ALGORITHMS, DEFAULT_ALGORITHM, new_private_key, public_info

SECURITY_OBJECT: Final = "2.23.136.1.1.1"
"""id-icao-mrtd-security-ldsSecurityObject (ICAO Doc 9303-10, 4.6.2.3)."""

COM_TAG: Final = 0x60
SOD_TAG: Final = 0x77
DG_TAGS: Final[Mapping[int, int]] = {1: 0x61, 2: 0x75, 11: 0x6B, 12: 0x6C, 14: 0x6E, 15: 0x6F}
"""Tags of the elementary files (ICAO Doc 9303-10, table 38)."""

TAG_LIST: Final = 0x5C
OTHER_NAME: Final = 0x5F0F
CONTENT_SPECIFIC: Final = 0xA0
UNICODE_VERSION: Final = "040000"
LDS_VERSIONS: Final = ("0107", "0108")
"""By the version of the security object: LDS 1.7 has 0, and LDS 1.8 has 1 (ICAO Doc 9303-10, 4.6.2.1 and D)."""

ACTIVE_AUTHENTICATION: Final = "2.23.136.1.1.5"
"""id-icao-mrtd-security-aaProtocolObject (ICAO Doc 9303-11, 9.2)."""

CHIP_PUBLIC_KEY: Final = "0.4.0.127.0.7.2.2.1.2"
"""id-PK-ECDH (ICAO Doc 9303-11, 9.2)."""

CHIP_AUTHENTICATION: Final = "0.4.0.127.0.7.2.2.3.2.2"
"""id-CA-ECDH-AES-CBC-CMAC-128 (ICAO Doc 9303-11, 9.2)."""

DIGEST_OIDS: Final[Mapping[str, str]] = {
    "md5": "1.2.840.113549.2.5",
    "sha1": "1.3.14.3.2.26",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
"""RFC 3279, 2.1; RFC 5754, 2."""

CHIP_CURVE: Final = "brainpoolP256r1"
"""Curve of the key for chip authentication; its parameters are written out."""


class SpecimenError(BorderpostError):
    """A specimen can't be made of what was given, or can't do what was asked."""

    reason = "SPECIMEN"


class Protection(Enum):
    """What keeps a chip from being copied: active authentication, chip authentication, or nothing."""

    ACTIVE = "active"
    CHIP = "chip"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Holder:
    """Data group 11 (ICAO Doc 9303-10, 4.7.11): names in national characters, `<<` after the surname.

    What is empty is left out. Of the birth date, parts may be unknown.
    """

    full_name: str = ""
    other_names: tuple[str, ...] = ()
    personal_number: str = ""
    birth_date: date | PartialDate | None = None
    place_of_birth: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Issuance:
    """Data group 12 (ICAO Doc 9303-10, 4.7.12). Empty is left out."""

    authority: str = ""
    issued_on: date | None = None
    endorsements: str = ""


@dataclass(frozen=True, slots=True)
class ChipOrder:
    """What chip is wanted.

    `lines` are the MRZ; `portrait` is a picture in any format that Pillow reads; `signed_at` is when the state
    signs. `algorithm` is of signing.ALGORITHMS, `active` of active.ACTIVE_ALGORITHMS. `lds_version` is the version of
    the security object, 0 or 1. `signing_time`: whether it says when it was signed. `by_key_id`: whether it names the
    signer by its key. `bcd_dates`: whether dates in data groups 11 and 12 take four bytes instead of eight (readers
    take both: ICAO Doc 9303-10, 4.7.12). `holder` and `issuance` make data groups 11 and 12. `pki` is the state's,
    otherwise Utopia's as it is at `signed_at`.
    """

    lines: tuple[str, ...]
    portrait: bytes
    signed_at: datetime
    algorithm: str = DEFAULT_ALGORITHM
    lds_version: int = 1
    face_format: FaceFormat = FaceFormat.ISO_19794_5
    picture: PictureKind = PictureKind.JPEG
    protection: Protection = Protection.ACTIVE
    active: str = DEFAULT_ACTIVE
    signing_time: bool = True
    by_key_id: bool = False
    bcd_dates: bool = False
    holder: Holder | None = None
    issuance: Issuance | None = None
    pki: Pki | None = None

    def state(self) -> Pki:
        """Return the PKI that signs this chip."""
        return self.pki or utopia(self.algorithm, self.signed_at)

    def moment(self) -> datetime:
        """Return when the state signs, in UTC and whole seconds."""
        return self.signed_at.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class SpecimenChip:
    """A chip and what goes with it.

    `files` are whole elementary files with their outer tags, by "COM", "SOD", "DG1" and so on. `signer`, `csca` and
    `crl` are DER: who signed, the trust anchor that the state publishes for it, and the issuer's revocation list.
    `trust` has the files that a border would import: "csca.cer", "crl.crl", "masterlist.ml", "pkd.ldif". `printed`
    are the lines on the page.
    """

    files: Mapping[str, bytes] = field(repr=False)
    signer: bytes = field(repr=False)
    csca: bytes = field(repr=False)
    crl: bytes = field(repr=False)
    trust: Mapping[str, bytes] = field(repr=False)
    printed: tuple[str, ...]
    key: ChipKey | None = field(default=None, repr=False)

    def answer(self, nonce: bytes) -> bytes:
        """Sign the 8 bytes of a challenge (INTERNAL AUTHENTICATE, ICAO Doc 9303-11, 6.1). Raises SpecimenError."""
        if self.key is None:
            raise SpecimenError("this chip has no key for active authentication: it can't answer a challenge")
        return self.key.answer(nonce)


def make_chip(order: ChipOrder) -> SpecimenChip:
    """Make a genuine chip. Raises SpecimenError for a picture, a state's algorithm or lines that don't do."""
    _check(order)
    key = None
    if order.protection is Protection.ACTIVE:
        key = ACTIVE_ALGORITHMS[order.active].new_key()
    groups = data_groups(order, key)
    state = order.state()
    files = elementary_files(order, groups, state.signer)
    return with_issuer(SpecimenChip(files, b"", b"", b"", {}, order.lines, key), state, state.signer)


def _check(order: ChipOrder) -> None:
    try:
        format_of(order.lines)
    except ValueError as error:
        raise SpecimenError(str(error)) from None
    if order.lds_version not in range(len(LDS_VERSIONS)):
        raise SpecimenError(f"lds_version: got {order.lds_version}, want 0 or 1")
    if order.algorithm not in ALGORITHMS:
        raise SpecimenError(f"algorithm: got {order.algorithm!r}, want one of: {', '.join(ALGORITHMS)}")
    if order.active not in ACTIVE_ALGORITHMS:
        raise SpecimenError(f"active: got {order.active!r}, want one of: {', '.join(ACTIVE_ALGORITHMS)}")


def with_issuer(
    chip: SpecimenChip, state: Pki, signer: Signer, *, csca: Signer | None = None, crl: bytes | None = None
) -> SpecimenChip:
    """Return the chip with its signer and what its state publishes; `csca` and `crl` if not the state's usual ones."""
    anchor = (csca or state.csca).der
    revoked = state.revocation_list if crl is None else crl
    trust = {
        "csca.cer": anchor,
        "crl.crl": revoked,
        "masterlist.ml": state.master_list,
        "pkd.ldif": state.ldif,
    }
    return replace(chip, signer=signer.der, csca=anchor, crl=revoked, trust=trust)


def elementary_files(order: ChipOrder, groups: Mapping[int, bytes], signer: Signer) -> dict[str, bytes]:
    """Put the files together: EF.COM and EF.SOD for these data groups, and the groups."""
    files = {"COM": common_data(groups, order.lds_version), "SOD": security_object(order, groups, signer)}
    return files | {f"DG{number}": content for number, content in sorted(groups.items())}


def data_groups(order: ChipOrder, key: ChipKey | None) -> dict[int, bytes]:
    """Write the data groups of a chip by their number. Raises SpecimenError."""
    groups = {1: data_group_1(order.lines), 2: portrait_group(order)}
    if order.holder is not None:
        groups[11] = data_group_11(order.holder, bcd=order.bcd_dates)
    if order.issuance is not None:
        groups[12] = data_group_12(order.issuance, bcd=order.bcd_dates)
    if key is not None:
        groups[15] = data_group_15(key)
    security_infos = _security_infos(order.protection, key)
    if security_infos:
        groups[14] = tlv(DG_TAGS[14], set_of(*security_infos))
    return groups


def data_group_1(lines: tuple[str, ...]) -> bytes:
    """Write the MRZ without line breaks (ICAO Doc 9303-10, 4.7.1)."""
    return tlv(DG_TAGS[1], tlv(0x5F1F, "".join(lines).encode("ascii")))


def portrait_group(order: ChipOrder) -> bytes:
    """Write data group 2. Raises SpecimenError for what is no picture."""
    try:
        return data_group_2(order.portrait, order.face_format, order.picture)
    except OSError as error:
        raise SpecimenError(f"portrait: {error}") from None


def data_group_11(holder: Holder, *, bcd: bool = False) -> bytes:
    """Write the details of the holder that there are, in the order of ICAO Doc 9303-10, 4.7.11."""
    return _details(
        DG_TAGS[11],
        {
            0x5F0E: holder.full_name.encode("utf-8"),
            OTHER_NAME: _repeated(OTHER_NAME, holder.other_names),
            0x5F10: holder.personal_number.encode("utf-8"),
            0x5F2B: _date(holder.birth_date, bcd=bcd),
            0x5F11: "<".join(holder.place_of_birth).encode("utf-8"),
        },
    )


def data_group_12(issuance: Issuance, *, bcd: bool = False) -> bytes:
    """Write the details of the document that there are, in the order of ICAO Doc 9303-10, 4.7.12."""
    return _details(
        DG_TAGS[12],
        {
            0x5F19: issuance.authority.encode("utf-8"),
            0x5F26: _date(issuance.issued_on, bcd=bcd),
            0x5F1B: issuance.endorsements.encode("utf-8"),
        },
    )


def data_group_15(key: ChipKey) -> bytes:
    """Write the public key for active authentication (ICAO Doc 9303-10, 4.7.15)."""
    return tlv(DG_TAGS[15], key.public_info().dump())


def _date(day: date | PartialDate | None, *, bcd: bool) -> bytes:
    """Write YYYYMMDD, unknown parts as zeros (ICAO Doc 9303-10, 4.7.11.1)."""
    if day is None:
        return b""
    digits = f"{day.year or 0:04}{day.month or 0:02}{day.day or 0:02}"
    return bytes.fromhex(digits) if bcd else digits.encode("ascii")


def _repeated(tag: int, texts: tuple[str, ...]) -> bytes:
    """Write how many there are, and each."""
    if not texts:
        return b""
    return integer(len(texts)) + b"".join(tlv(tag, text.encode("utf-8")) for text in texts)


def _details(group: int, values: Mapping[int, bytes]) -> bytes:
    """Write the list of tags that have a value, and the values; other names are in a template of their own."""
    there = {tag: value for tag, value in values.items() if value}
    tags = b"".join(unsigned(tag) for tag in there)
    objects = (tlv(CONTENT_SPECIFIC if tag == OTHER_NAME else tag, value) for tag, value in there.items())
    return tlv(group, tlv(TAG_LIST, tags), *objects)


def _security_infos(protection: Protection, key: ChipKey | None) -> list[bytes]:
    """Write the members of data group 14 (ICAO Doc 9303-11, 9.2). RSA keys of data group 15 need none."""
    if protection is Protection.CHIP:
        public = public_info(new_private_key(CHIP_CURVE), explicit=True)
        return [
            sequence(oid(CHIP_PUBLIC_KEY), public.dump()),
            sequence(oid(CHIP_AUTHENTICATION), integer(1)),
        ]
    if key is not None and key.algorithm.curve:
        return [sequence(oid(ACTIVE_AUTHENTICATION), integer(1), oid(key.algorithm.oid))]
    return []


def oid(dotted: str) -> bytes:
    """Write an OBJECT IDENTIFIER."""
    der: bytes = core.ObjectIdentifier(dotted).dump()
    return der


def common_data(groups: Mapping[int, bytes], lds_version: int, *, more: bytes = b"") -> bytes:
    """Write EF.COM: versions, and the tags of the data groups and of `more` (ICAO Doc 9303-10, 4.6.1)."""
    tags = bytes(DG_TAGS[number] for number in sorted(groups)) + more
    return tlv(
        COM_TAG,
        tlv(0x5F01, LDS_VERSIONS[lds_version].encode("ascii")),
        tlv(0x5F36, UNICODE_VERSION.encode("ascii")),
        tlv(TAG_LIST, tags),
    )


def security_object(order: ChipOrder, groups: Mapping[int, bytes], signer: Signer) -> bytes:
    """Write EF.SOD: the hashes of the data groups, signed (ICAO Doc 9303-10, 4.6.2)."""
    digest = signer.key.algorithm.hash
    hashes = {number: hashlib.new(digest, content).digest() for number, content in groups.items()}
    return sealed(order, lds_security_object(digest, hashes, order.lds_version), signer)


def sealed(order: ChipOrder, content: bytes, signer: Signer) -> bytes:
    """Sign an LDSSecurityObject and put it into EF.SOD."""
    signed_at = order.moment() if order.signing_time else None
    return tlv(SOD_TAG, signed_data(SECURITY_OBJECT, content, signer, signed_at, by_key_id=order.by_key_id))


def lds_security_object(digest: str, hashes: Mapping[int, bytes], version: int) -> bytes:
    """Write the LDSSecurityObject (ICAO Doc 9303-10, 4.6.2.3); `digest` is a name that hashlib knows."""
    parameters = (
        tlv(NULL) if version == 0 else b""
    )  # left out today (4.6.2.3, note 2), there in most old chips
    algorithm = sequence(oid(DIGEST_OIDS[digest]), parameters)
    values = sequence(*(sequence(integer(number), octets(value)) for number, value in sorted(hashes.items())))
    parts = [integer(version), algorithm, values]
    if version == 1:
        parts.append(sequence(printable(LDS_VERSIONS[1]), printable(UNICODE_VERSION)))
    return sequence(*parts)
