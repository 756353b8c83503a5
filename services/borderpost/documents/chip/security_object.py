"""EF.SOD: the hashes of the data groups, in CMS SignedData (ICAO 9303-10, 4.6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from asn1crypto import algos, core

from borderpost.documents.chip import tlv
from borderpost.documents.chip.common import GROUP_TAGS, version_text
from borderpost.documents.chip.errors import ChipFileError
from borderpost.documents.pki.errors import PkiError, SignedDataError, unreadable_as
from borderpost.documents.pki.signed_data import SignedData, parse_signed_data

SOD_TAG: Final = 0x77

MAX_SOD_BYTES: Final = 128 * 1024
"""Those of real chips have 2 to 6 KB."""

LDS_SECURITY_OBJECT: Final = "2.23.136.1.1.1"
"""id-icao-mrtd-security-ldsSecurityObject (ICAO 9303-10, 4.6.2.3)."""

VERSIONS: Final = (0, 1)
"""Of LDSSecurityObject: 0 with LDS 1.7, 1 with LDS 1.8, which adds its version."""


class _GroupHash(core.Sequence):  # type: ignore[misc]
    _fields = [("number", core.Integer), ("value", core.OctetString)]  # noqa: RUF012 as asn1crypto wants it


class _GroupHashes(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _GroupHash


class _VersionInfo(core.Sequence):  # type: ignore[misc]
    _fields = [("lds", core.PrintableString), ("unicode", core.PrintableString)]  # noqa: RUF012


class _LdsSecurityObject(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("hash_algorithm", algos.AlgorithmIdentifier),
        ("hashes", _GroupHashes),
        ("version_info", _VersionInfo, {"optional": True}),
    ]


@dataclass(frozen=True, slots=True)
class SecurityObject:
    """What EF.SOD says, unverified: the hash's object identifier, and the hash of each data group by its number."""

    hash_oid: str
    hashes: Mapping[int, bytes]
    lds_version: str
    signed: SignedData


def read_security_object(data: bytes) -> SecurityObject:
    """Read EF.SOD and the LDSSecurityObject in it. Raises ChipFileError."""
    if len(data) > MAX_SOD_BYTES:
        raise ChipFileError(f"EF.SOD: got {len(data):,} bytes, want at most {MAX_SOD_BYTES:,}")
    content_info = tlv.elementary_file(data, SOD_TAG)
    try:
        signed = parse_signed_data(content_info)
        if signed.content_type != LDS_SECURITY_OBJECT:
            raise ChipFileError("EF.SOD: got signed content that is no LDS security object")
        with unreadable_as(SignedDataError, "LDS security object"):
            return _read(signed)
    except PkiError as error:
        raise ChipFileError(f"EF.SOD: {error.message}") from None


def _read(signed: SignedData) -> SecurityObject:
    read = _LdsSecurityObject.load(signed.content, strict=True)
    version = read["version"].native
    if version not in VERSIONS:
        raise ChipFileError("EF.SOD: got an LDS security object of another version than 0 and 1")
    hashes: dict[int, bytes] = {}
    for entry in read["hashes"]:
        number = entry["number"].native
        if number not in GROUP_TAGS or number in hashes:
            raise ChipFileError("EF.SOD: got a data group twice, or one outside 1 to 16")
        hashes[number] = bytes(entry["value"])
    info = read["version_info"]
    lds_version = "" if isinstance(info, core.Void) else version_text(bytes(info["lds"].contents))
    return SecurityObject(read["hash_algorithm"]["algorithm"].dotted, hashes, lds_version, signed)
