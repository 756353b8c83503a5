"""Who bundles come from and go to: partners by their keys, and the identity that our own are opened with."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyrage
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.signing import write_secret_once

MAX_IDENTITY_BYTES: Final = 16 * 1024

MAX_PARTNERS_BYTES: Final = 1024 * 1024

_IDENTITY_START: Final = "AGE-SECRET-KEY-1"


class BundleIdentityError(BorderpostError):
    """The age identity that bundles to this installation are opened with is missing or can't be used."""

    reason = "BUNDLE_IDENTITY"


class PartnersError(BorderpostError):
    """The file of partners can't be read or says what can't be."""

    reason = "PARTNERS"


@dataclass(frozen=True, slots=True)
class Partner:
    """An agency that bundles come from and go to: its name, as it calls itself, age recipient and public key."""

    name: str
    recipient: str
    verify_key: Ed25519PublicKey


def load_partners(path: Path) -> Mapping[str, Partner]:
    """Read partners by their names from a TOML file (docs/exchange.md). Raises PartnersError."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_PARTNERS_BYTES + 1)
        if len(text) > MAX_PARTNERS_BYTES:
            raise PartnersError(f"{path}: got more than {MAX_PARTNERS_BYTES:,} bytes, want a short TOML file")
        tables = tomllib.loads(text.decode("utf-8")).get("partner", [])
    except OSError as error:
        raise PartnersError(f"{path}: can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PartnersError(f"{path}: not TOML: {error}") from None
    if not isinstance(tables, list):
        raise PartnersError(f"{path}: want each partner under [[partner]]")
    partners = [_partner(f"{path}: partner {number}", table) for number, table in enumerate(tables, 1)]
    named = {partner.name: partner for partner in partners}
    if len(named) != len(partners):
        raise PartnersError(f"{path}: two partners have one name")
    return named


def load_identity(path: Path, make: bool) -> pyrage.x25519.Identity:
    """Read an age identity (X25519, as `age-keygen` writes it); where `make` is set, make it if it is missing.

    Several that make it at once end up with the same one. Raises BundleIdentityError.
    """
    try:
        if make and not path.exists():
            write_secret_once(path, _new_identity())
        with path.open("rb") as file:
            text = file.read(MAX_IDENTITY_BYTES).decode("ascii")
    except FileNotFoundError:
        raise BundleIdentityError(
            f"{path}: no such file: want an age identity (`age-keygen -o FILE`): production makes none"
        ) from None
    except OSError as error:
        raise BundleIdentityError(
            f"{path}: {error.strerror}: want an age identity that can be read"
        ) from None
    except UnicodeDecodeError:
        raise BundleIdentityError(f"{path}: can't be read: want an age identity as text") from None
    keys = [line.strip() for line in text.splitlines() if line.strip().startswith(_IDENTITY_START)]
    if len(keys) != 1:
        raise BundleIdentityError(
            f"{path}: got {len(keys)} identities, want one X25519 identity ({_IDENTITY_START}…)"
        )
    try:
        return pyrage.x25519.Identity.from_str(keys[0])
    except pyrage.IdentityError:
        raise BundleIdentityError(f"{path}: can't be read: want an X25519 identity of age") from None


def recipient_of(text: str) -> pyrage.x25519.Recipient:
    """The age recipient (X25519) of this text. Raises PartnersError."""
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise PartnersError("recipient: got no X25519 recipient of age, want age1…") from None


def _partner(place: str, table: Any) -> Partner:
    wanted = {"name", "recipient", "verify_key"}
    if not isinstance(table, dict) or table.keys() != wanted:
        raise PartnersError(f"{place}: want {', '.join(sorted(wanted))} and nothing else")
    name, recipient, pem = (table[key] for key in ("name", "recipient", "verify_key"))
    if not all(isinstance(each, str) for each in (name, recipient, pem)) or not name.strip():
        raise PartnersError(f"{place}: want texts, and a name")
    try:
        to = recipient_of(recipient)
        key = serialization.load_pem_public_key(pem.encode())
    except PartnersError as error:
        raise PartnersError(f"{place}: {error.message}") from None
    except (ValueError, TypeError):
        raise PartnersError(f"{place}: verify_key: can't be read, want a public key as PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise PartnersError(f"{place}: verify_key: got a key of another kind, want Ed25519")
    return Partner(name, str(to), key)


def _new_identity() -> bytes:
    identity = pyrage.x25519.Identity.generate()
    return f"# public key: {identity.to_public()}\n{identity}\n".encode("ascii")
