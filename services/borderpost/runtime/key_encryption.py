"""Key-encryption keys: what the keys in a key store are encrypted with, and where they come from.

`KeyWrapper` is the port: a file of keys is the adapter that comes with Borderpost; a key management service or a
hardware module fits behind it with two methods. docs/keys.md says how keys are kept and changed.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.sealing import new_key, seal, unseal
from borderpost.runtime.settings import Settings
from borderpost.runtime.signing import write_secret_once

KEY_BYTES: Final = 32
OTHERS: Final = 0o077
"""Bits of a file's mode that let anybody but its owner do anything with it."""

_ID: Final = re.compile(r"[a-z0-9-]{1,40}")
_HEADING: Final = (
    "# Key-encryption keys of Borderpost: ID and 32 bytes in base64, one a line; the last one encrypts.\n"
    "# Keep a copy apart from the databases and their backups. `borderpost keys --help` says how to change them.\n"
)


class KeyEncryptionError(BorderpostError):
    """The key-encryption keys can't be read: the file is missing, open to others, or holds something else."""

    reason = "KEY_ENCRYPTION"


class KeyEncryptionKeyMissingError(BorderpostError):
    """A key was encrypted with a key-encryption key that isn't there (any more)."""

    reason = "KEY_ENCRYPTION_KEY_MISSING"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """An encrypted key, and the id of the key-encryption key that it takes to open it."""

    kek_id: str
    key: bytes


class KeyWrapper(Protocol):
    """Encrypts keys by a key-encryption key that it keeps to itself. To be used by many threads."""

    @property
    def current(self) -> str:
        """The id of the key-encryption key that encrypts now."""
        ...

    def wrap(self, key_id: str, key: bytes) -> Wrapped:
        """Encrypt a key, bound to its id. KeyEncryptionError."""
        ...

    def unwrap(self, key_id: str, wrapped: Wrapped) -> bytes:
        """Decrypt what `wrap` made for the same id. KeyEncryptionKeyMissingError, SealedDamagedError."""
        ...


class FileKeyWrapper:
    """A `KeyWrapper` with keys from a file, which is read again when it was changed."""

    def __init__(self, path: Path) -> None:
        """Read the file. KeyEncryptionError."""
        self._path = path
        self._lock = threading.Lock()
        self._state: tuple[int, ...] = ()
        self._keys: dict[str, bytes] = {}
        self._refresh()

    @property
    def current(self) -> str:
        """The id of the last key in the file."""
        self._refresh()
        return next(reversed(self._keys))

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, as they stand in the file."""
        self._refresh()
        return tuple(self._keys)

    def wrap(self, key_id: str, key: bytes) -> Wrapped:
        """Encrypt a key by the last key in the file: AES-256-GCM, bound to both ids. KeyEncryptionError."""
        kek_id = self.current
        return Wrapped(kek_id, seal(self._keys[kek_id], key, _bound(kek_id, key_id)))

    def unwrap(self, key_id: str, wrapped: Wrapped) -> bytes:
        """Decrypt a key. KeyEncryptionKeyMissingError, SealedDamagedError."""
        kek = self._keys.get(wrapped.kek_id)
        if kek is None:
            self._refresh()
            kek = self._keys.get(wrapped.kek_id)
        if kek is None:
            raise KeyEncryptionKeyMissingError(
                f"{self._path}: it has no key {wrapped.kek_id}, which keys in the key store are encrypted by: put "
                "its line back",
                kek=wrapped.kek_id,
            )
        return unseal(kek, wrapped.key, _bound(wrapped.kek_id, key_id))

    def _refresh(self) -> None:
        """Read the file if it was changed since it was read."""
        try:
            found = self._path.stat()
            state = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
            if state == self._state:
                return
            if found.st_mode & OTHERS:
                raise KeyEncryptionError(
                    f"{self._path}: others than its owner may read it: want mode 0600 (`chmod 600`)"
                )
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise KeyEncryptionError(
                f"{self._path}: no such file: want key-encryption keys (`borderpost keys new` makes one): production "
                "makes none by itself"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise KeyEncryptionError(f"{self._path}: can't be read: {error}") from None
        lines = list(_parse(text, self._path))
        keys = dict(lines)
        if len(keys) < len(lines):
            raise KeyEncryptionError(f"{self._path}: got two keys with one id, want each id once")
        if not keys:
            raise KeyEncryptionError(f"{self._path}: got no key in it, want one a line: ID BASE64")
        with self._lock:
            self._keys, self._state = keys, state


def load_wrapper(settings: Settings) -> FileKeyWrapper:
    """Read the key-encryption keys that the settings name; in development they are made if they are missing.

    KeyEncryptionError.
    """
    path = settings.key_encryption_file
    if settings.mode == "development" and not path.exists():
        write_secret_once(path, (_HEADING + new_line()).encode())
    return FileKeyWrapper(path)


def new_line() -> str:
    """Make the line of a new key-encryption key."""
    return f"kek-{secrets.token_hex(6)} {base64.b64encode(new_key()).decode()}\n"


def add_key(path: Path) -> str:
    """Add a new key to a file, or make the file; return the key's id. KeyEncryptionError, OSError."""
    line = new_line()
    with _alone(path):
        before = _HEADING
        if path.exists():
            FileKeyWrapper(path)  # never write over what is none of ours
            before = path.read_text(encoding="utf-8")
            before += "" if before.endswith("\n") else "\n"
        _write(path, before + line)
    return line.split()[0]


def remove_key(path: Path, kek_id: str) -> None:
    """Remove a key from a file. KeyEncryptionError: it isn't there, or is the one that encrypts."""
    with _alone(path):
        ids = FileKeyWrapper(path).ids
        if kek_id not in ids or kek_id == ids[-1]:
            others = ", ".join(ids[:-1]) or "none: the last one encrypts"
            raise KeyEncryptionError(f"{path}: got {kek_id}, want an older key: {others}")
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        _write(path, "".join(line for line in lines if line.split()[:1] != [kek_id]))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One change of the file at a time: of two at once one would take the other's line away."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    """Put a file in the place of another, whole or not at all, for its owner alone; on the disk when it returns, before
    anything is encrypted by what is in it."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    write_secret_once(part, text.encode())
    _synced(part, os.O_RDONLY)
    part.replace(path)
    _synced(path.parent, os.O_DIRECTORY)


def _synced(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parse(text: str, path: Path) -> Iterator[tuple[str, bytes]]:
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts or line.lstrip().startswith("#"):
            continue
        try:
            key = base64.b64decode(parts[1] if len(parts) == 2 else "", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES or not _ID.fullmatch(parts[0]):
            raise KeyEncryptionError(f"{path}: line {number}: want ID and {KEY_BYTES} bytes in base64")
        yield parts[0], key


def _bound(kek_id: str, key_id: str) -> bytes:
    return f"{kek_id}/{key_id}".encode()
