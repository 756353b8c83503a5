"""Where the identity provider's public keys come from: a file, or the provider itself (OpenID Connect Discovery
1.0)."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from borderpost.runtime.errors import BorderpostError

FETCH_SECONDS: Final = 5.0
REFRESH_SECONDS: Final = 3600.0
"""After this time keys are fetched anew; those that are there serve meanwhile."""

AGAIN_SECONDS: Final = 60.0
"""A key that nobody knows makes keys be fetched anew, but no more often than this: anybody can send a token."""

MAX_BYTES: Final = 256 * 1024

_log = structlog.get_logger(__name__)


class ProviderKeysError(BorderpostError):
    """The identity provider's keys can't be read. The message says where they should be."""

    reason = "PROVIDER_KEYS"


class FileKeys:
    """Keys of a file (JWK Set, RFC 7517), which is read again when it was changed."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises ProviderKeysError."""
        self._path = path
        self._lock = threading.Lock()
        self._state: tuple[int, int] | None = None
        self._keys = KeySet([])
        self._refresh()

    def current(self, key_id: str) -> KeySet:
        """Return the keys."""
        try:
            self._refresh()
        except ProviderKeysError as error:  # being replaced: those that were read still hold
            _log.warning("provider_keys_unreadable", reason=error.reason)
        return self._keys

    def _refresh(self) -> None:
        with self._lock:
            try:
                found = self._path.stat()
                state = (found.st_mtime_ns, found.st_ino)
                if state != self._state:
                    self._keys = _read(self._path.read_bytes())
                    self._state = state
            except OSError as error:
                raise ProviderKeysError(
                    f"{self._path}: {error.strerror}: want the provider's keys (JWK Set)"
                ) from None
            except (JoseError, ValueError, TypeError, KeyError):
                raise ProviderKeysError(f"{self._path}: can't be read: want a JWK Set, as JSON") from None


Fetch = Callable[[str], bytes]


def fetch(url: str) -> bytes:
    """Fetch a document over TLS, which checks who answers. Raises OSError."""
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310  https, as settings want it
        content: bytes = answer.read(MAX_BYTES)
    return content


class DiscoveredKeys:
    """Keys that the provider publishes. They are fetched when they are first needed, and anew now and then; while the
    provider can't be reached those that are there serve."""

    def __init__(self, issuer: str, fetch: Fetch = fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer.rstrip("/")
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._keys = KeySet([])
        self._tried_at: float | None = None

    def current(self, key_id: str) -> KeySet:
        """Return the keys; fetch them first if they are old, or if this one isn't among them."""
        known = any(key.kid == key_id for key in self._keys.keys)
        with self._lock:
            since = None if self._tried_at is None else self._now() - self._tried_at
            if since is None or since > (REFRESH_SECONDS if known else AGAIN_SECONDS):
                self._tried_at = self._now()
                self._refresh()
        return self._keys

    def _refresh(self) -> None:
        try:
            about = json.loads(self._fetch(f"{self._issuer}/.well-known/openid-configuration"))
            if about["issuer"].rstrip("/") != self._issuer or not about["jwks_uri"].startswith("https://"):
                raise ValueError("another provider")
            self._keys = _read(self._fetch(about["jwks_uri"]))
        except (OSError, JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            _log.warning("provider_keys_unreachable", error=type(error).__name__)


def _read(data: bytes) -> KeySet:
    keys = KeySet.import_key_set(json.loads(data))
    if any(key.is_private for key in keys.keys):
        raise ValueError("private keys")
    return keys
