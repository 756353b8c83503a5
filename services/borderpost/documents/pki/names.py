"""Distinguished names: a form to look up by, and text to show (RFC 5280, 7.1; RFC 4514)."""

from __future__ import annotations

from typing import Any, Final

from asn1crypto import core

_LABELS: Final = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
    "1.2.840.113549.1.9.1": "emailAddress",
}

_COUNTRY: Final = "2.5.4.6"

_SPECIAL: Final = frozenset('",+;<>\\')
"""Characters that RFC 4514, 2.4 escapes wherever they are."""


def normalised(name: Any) -> bytes:
    """Return a DER form that is the same for names that RFC 5280, 7.1 calls the same.

    Strings as UTF-8 whatever their type, in lower case, spaces collapsed; each relative name sorted. States
    write one name in several ways in certificates that belong together.
    """
    rdns = []
    for rdn in _parts(name):
        pairs = sorted(_pair(oid, " ".join(text.casefold().split())) for oid, text in rdn)
        rdns.append(_set_of(pairs))
    return _sequence(b"".join(rdns))


def as_text(name: Any) -> str:
    """Write a name by RFC 4514: the last relative name first."""
    return ",".join("+".join(_labelled(oid, text) for oid, text in rdn) for rdn in reversed(_parts(name)))


def country_of(name: Any) -> str:
    """Return the country of a name in upper case, or nothing."""
    found = [text for rdn in _parts(name) for oid, text in rdn if oid == _COUNTRY]
    return found[0].strip().upper() if found else ""


def _parts(name: Any) -> list[list[tuple[str, str]]]:
    """Object identifier and text of each attribute, by relative names."""
    return [[(pair["type"].dotted, _value_text(pair["value"])) for pair in rdn] for rdn in name.chosen]


def _value_text(value: Any) -> str:
    """Text of a value. Some states put bytes there that their string type doesn't have."""
    inner = value.chosen if isinstance(value, core.Choice) else value
    contents = bytes(inner.contents or b"")
    if isinstance(inner, core.BMPString):
        return contents.decode("utf-16-be", errors="replace")
    try:
        return contents.decode("utf-8")
    except UnicodeDecodeError:
        return contents.decode("latin-1")


def _labelled(oid: str, text: str) -> str:
    escaped = "".join(_escape(char) for char in text)
    if escaped[:1] in (" ", "#"):
        escaped = "\\" + escaped
    if len(text) > 1 and text[-1] == " ":
        escaped = escaped[:-1] + "\\ "
    return f"{_LABELS.get(oid, oid)}={escaped}"


def _escape(char: str) -> str:
    if char in _SPECIAL:
        return "\\" + char
    if not char.isprintable():  # controls of terminals, and those that turn the direction of writing
        return "".join(f"\\{octet:02X}" for octet in char.encode("utf-8"))
    return char


def _pair(oid: str, text: str) -> bytes:
    return _sequence(core.ObjectIdentifier(oid).dump() + core.UTF8String(text).dump())


def _sequence(contents: bytes) -> bytes:
    return tagged(0x30, contents)


def _set_of(members: list[bytes]) -> bytes:
    return tagged(0x31, b"".join(members))


def tagged(tag: int, contents: bytes) -> bytes:
    """Put a DER tag and length before the contents."""
    length = len(contents)
    if length < 0x80:
        return bytes([tag, length]) + contents
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + contents
