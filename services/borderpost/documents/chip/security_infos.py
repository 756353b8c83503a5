"""DG14 and DG15: how the chip can prove that it is no copy (ICAO 9303-11, 9.2; 9303-10, 4.7.14 and 4.7.15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from asn1crypto import core

from borderpost.documents.chip import tlv
from borderpost.documents.chip.common import GROUP_TAGS
from borderpost.documents.chip.errors import ChipFileError
from borderpost.documents.pki.keys import PublicKey, parse_key

MAX_GROUP_BYTES: Final = 64 * 1024
"""Of DG14 and DG15; they have a few hundred."""

MAX_IDENTIFIER_BYTES: Final = 32
"""Of an object identifier; protocols have ten."""

_ALGORITHM_PART: Final = 2
"""ActiveAuthenticationInfo: protocol, version, signatureAlgorithm (ICAO 9303-11, 9.2.6)."""

_ACTIVE: Final = "2.23.136.1.1.5"
"""id-icao-mrtd-security-aaProtocolObject."""

_CHIP_KEYS: Final = ("0.4.0.127.0.7.2.2.1.1", "0.4.0.127.0.7.2.2.1.2")
"""id-PK-DH and id-PK-ECDH: a key for chip authentication."""


_SET, _SEQUENCE, _OBJECT_IDENTIFIER = 0x31, 0x30, 0x06


@dataclass(frozen=True, slots=True)
class SecurityInfos:
    """What DG14 announces: keys for chip authentication, and the algorithm of active authentication by ECDSA."""

    chip_authentication: bool
    active_algorithm: str


def read_security_infos(data: bytes) -> SecurityInfos:
    """Read DG14. Raises ChipFileError."""
    chip_authentication, algorithm = False, ""
    for info in tlv.objects(tlv.elementary_file(_value(data, 14), _SET)):
        if info.tag != _SEQUENCE:
            raise ChipFileError("DG14: got a security info that is no sequence")
        parts = list(tlv.objects(info.value))
        protocol = _dotted(parts[0]) if parts else ""
        chip_authentication |= protocol in _CHIP_KEYS
        if protocol == _ACTIVE and len(parts) > _ALGORITHM_PART:
            algorithm = _dotted(parts[_ALGORITHM_PART])
    return SecurityInfos(chip_authentication, algorithm)


def read_active_key(data: bytes) -> PublicKey:
    """Read DG15. Raises ChipFileError, or KeyNotSupportedError for a key that is well-formed and not taken."""
    return parse_key(_value(data, 15))


def _value(data: bytes, number: int) -> bytes:
    if len(data) > MAX_GROUP_BYTES:
        raise ChipFileError(f"DG{number}: got {len(data):,} bytes, want at most {MAX_GROUP_BYTES:,}")
    return tlv.elementary_file(data, GROUP_TAGS[number])


def _dotted(part: tlv.Tlv) -> str:
    if part.tag != _OBJECT_IDENTIFIER or not 0 < len(part.value) <= MAX_IDENTIFIER_BYTES:
        raise ChipFileError("DG14: got something else, want an object identifier")
    try:
        return str(core.ObjectIdentifier(contents=part.value).dotted)
    except ValueError:
        raise ChipFileError("DG14: got an object identifier that can't be read") from None
