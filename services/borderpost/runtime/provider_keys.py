"""Where the identity provider's public keys come from: a file, or the provider itself (OpenID Connect Discovery
1.0)."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key

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


class _OnlyTls(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not to where nobody proves who they are."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise OSError("redirected to an address without TLS")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str) -> bytes:
    """Fetch a document over TLS, which checks who answers. Raises OSError, HTTPException."""
    with urllib.request.build_opener(_OnlyTls).open(url, timeout=FETCH_SECONDS) as answer:
        content: bytes = answer.read(MAX_BYTES)
    return content


class DiscoveredKeys:
    """Keys that the provider publishes. They are fetched when they are first needed, and anew now and then in the
    background; while the provider can't be reached those that are there serve. Whose key is known never waits."""

    def __init__(self, issuer: str, fetch: Fetch = fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer.rstrip("/")
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._keys = KeySet([])
        self._tried_at: float | None = None

    def current(self, key_id: str) -> KeySet:
        """Return the keys; fetch them first if this one isn't among them."""
        known = any(key.kid == key_id for key in self._keys.keys)
        oldest = REFRESH_SECONDS if known else AGAIN_SECONDS
        if self._is_due(oldest):
            if known:
                threading.Thread(target=self._fetch_once, args=(oldest,), daemon=True).start()
            else:
                self._fetch_once(oldest)
        return self._keys

    def _is_due(self, oldest: float) -> bool:
        return self._tried_at is None or self._now() - self._tried_at > oldest

    def _fetch_once(self, oldest: float) -> None:
        with self._lock:
            if self._is_due(oldest):  # else somebody else fetched them while this one waited
                self._tried_at = self._now()
                self._refresh()

    def _refresh(self) -> None:
        try:
            about = json.loads(self._fetch(f"{self._issuer}/.well-known/openid-configuration"))
            if about["issuer"].rstrip("/") != self._issuer or not about["jwks_uri"].startswith("https://"):
                raise ValueError("another provider")
            self._keys = _read(self._fetch(about["jwks_uri"]))
        except (OSError, HTTPException, JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            _log.warning("provider_keys_unreachable", error=type(error).__name__)


def _read(data: bytes) -> KeySet:
    """Read a JWK Set, without keys of a kind that isn't known here (RFC 7517, 5). Raises ValueError, KeyError …"""
    keys = [key for raw in json.loads(data)["keys"] if (key := _key(raw)) is not None]
    if any(key.is_private for key in keys):
        raise ValueError("private keys")
    if not keys:
        raise ValueError("no key that is known here")
    return KeySet(keys)


def _key(raw: dict[str, Any]) -> Key | None:
    try:
        return import_key(raw)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
