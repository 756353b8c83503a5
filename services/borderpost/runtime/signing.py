"""Keys that a service signs with: one file each, made on first use in development, never in production."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borderpost.runtime.errors import BorderpostError


class SigningKeyError(BorderpostError):
    """A key to sign with is missing or can't be used."""

    reason = "SIGNING_KEY"


def load_signing_key(path: Path, make: bool) -> Ed25519PrivateKey:
    """Read an Ed25519 key (PEM, PKCS #8, without a password); where `make` is set, make it if it is missing.

    Several that make it at once end up with the same one. Raises SigningKeyError.
    """
    try:
        if make and not path.exists():
            write_secret_once(path, _new_key())
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise SigningKeyError(
            f"{path}: no such file: want an Ed25519 key (`openssl genpkey -algorithm ed25519`): production makes none"
        ) from None
    except OSError as error:
        raise SigningKeyError(f"{path}: {error.strerror}: want an Ed25519 key that can be read") from None
    except (ValueError, TypeError):
        raise SigningKeyError(
            f"{path}: can't be read: want an Ed25519 key as PEM, without a password"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(f"{path}: got a key of another kind, want Ed25519")
    return key


def write_secret_once(path: Path, secret: bytes) -> None:
    """Write a secret file that nobody else can read, all of it or nothing, and never over one that is there.

    Folders that are missing are made. Of several processes at once the first one's secret stays: read the file to
    know which it is. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
        path.hardlink_to(part)
    except FileExistsError:
        pass  # another process was first
    finally:
        part.unlink(missing_ok=True)


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
