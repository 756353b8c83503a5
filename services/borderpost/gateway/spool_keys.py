"""The keys that kiosks without a connection encrypt their captures to: X25519 (RFC 7748), in one PEM file.

The last key in the file is given out; captures encrypted to any of them are opened. To change the key append one
(`openssl genpkey -algorithm x25519`), and remove the former once no kiosk has anything left that it encrypted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.signing import write_secret_once
from borderpost.runtime.spooling import key_id_of

_PEM: Final = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----", re.DOTALL)


class SpoolKeyError(BorderpostError):
    """The keys of the spool are missing or can't be used."""

    reason = "SPOOL_KEY"


class SpoolKeys:
    """The keys of a file, which is read again when it was changed."""

    def __init__(self, path: Path, make: bool) -> None:
        """Read the file; where `make` is set, make one if it is missing. Raises SpoolKeyError."""
        self._path = path
        if make and not path.exists():
            write_secret_once(path, _pem(X25519PrivateKey.generate()))
        self._state: tuple[int, int] | None = None
        self._keys: dict[str, X25519PrivateKey] = {}
        self._refresh()

    def current(self) -> tuple[str, bytes]:
        """Return the id of the key that is given out, and its public key (32 bytes)."""
        self._refresh()
        key_id, key = next(reversed(self._keys.items()))
        return key_id, key.public_key().public_bytes_raw()

    def find(self, key_id: str) -> X25519PrivateKey | None:
        """Return the key of an id; None if there is none (any more)."""
        self._refresh()
        return self._keys.get(key_id)

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
            if (found.st_mtime_ns, found.st_ino) != self._state:
                self._keys = _read(self._path.read_bytes())
                self._state = (found.st_mtime_ns, found.st_ino)
        except OSError as error:
            if not self._keys:  # a file that is being replaced: those that were read still hold
                raise SpoolKeyError(
                    f"{self._path}: {error.strerror}: want X25519 keys (`openssl genpkey -algorithm x25519`): "
                    "production makes none"
                ) from None
        except (ValueError, TypeError):
            if not self._keys:
                raise SpoolKeyError(
                    f"{self._path}: can't be read: want X25519 keys as PEM, without a password"
                ) from None


def _read(data: bytes) -> dict[str, X25519PrivateKey]:
    keys = {}
    for pem in _PEM.findall(data):
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, X25519PrivateKey):
            raise TypeError("another kind of key")
        keys[key_id_of(key.public_key().public_bytes_raw())] = key
    if not keys:
        raise ValueError("no key")
    return keys


def _pem(key: X25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
