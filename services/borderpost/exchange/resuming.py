"""Which import was begun with which file, so that it can go on. A lost note only costs a new import."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from borderpost.runtime.clock import is_id, new_id


class Notes:
    """Notes of one file's ids, in `folder`, named by the file's SHA-256: no name and no row is in them."""

    def __init__(self, folder: Path, sha256: bytes) -> None:
        self._path = folder / f"{sha256.hex()}.json"

    def known(self, *what: str | Sequence[str]) -> str:
        """Return the id that was noted for just this; empty if none was."""
        return self._read().get(_key(what), "")

    def id_for(self, *what: str | Sequence[str]) -> str:
        """Return the id that was noted for just this, or make one and note it."""
        known = self._read()
        key = _key(what)
        if key not in known:
            known[key] = new_id()
            self._write(known)
        return known[key]

    def forget(self, *what: str | Sequence[str]) -> None:
        """Forget the id: the next one is new."""
        known = self._read()
        if known.pop(_key(what), None) is not None:
            self._write(known)

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(known, dict):
            return {}
        return {key: value for key, value in known.items() if isinstance(value, str) and is_id(value)}

    def _write(self, known: dict[str, str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._path.with_suffix(f".{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(known, file)
            part.replace(self._path)
        finally:
            part.unlink(missing_ok=True)


def _key(what: Sequence[str | Sequence[str]]) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()
