"""The identity provider, as the console uses it: OpenID Connect's authorization code flow with PKCE (RFC 7636)."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2 as httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.people import ALGORITHMS
from borderpost.runtime.settings import Settings

SECONDS: Final = 10.0
LEEWAY: Final = 30
"""Seconds by which its clock may differ from ours."""

MOST_BYTES: Final = 256 * 1024


FAILURES: Final = (httpx.HTTPError, OAuthError, JoseError, ValueError, TypeError, KeyError)


class ProviderError(BorderpostError):
    """The identity provider can't be reached, or what it answered can't be used."""

    reason = "PROVIDER"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider gave: the token that services get, and what another is got with; empty if it gives none."""

    token: str
    renewal: str


@dataclass(frozen=True, slots=True)
class Started:
    """A login that was begun: what the provider must bring back, and what proves that the answer is to it."""

    state: str
    nonce: str
    verifier: str
    next: str
    cookie: str
    """The session that goes on afterwards; empty for a new one."""

    anew_since: float | None
    """When the provider was asked to have the person prove who they are; None if it wasn't. Seconds since 1970."""


class Provider:
    """One identity provider."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport`: for tests."""
        self._issuer = (settings.people.issuer or "").rstrip("/")
        self._own = settings.console
        self._transport = transport
        self._about: Mapping[str, Any] = {}

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends people back to."""
        return f"{self._own.url}/login/back"

    async def begin(self, next_path: str, cookie: str = "", anew: bool = False) -> tuple[Started, str]:
        """Begin a login; return it and the provider's address for it. `anew`: the person has to prove who they are,
        though the provider knows the browser. Raises ProviderError."""
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        started = Started(state, nonce, verifier, next_path, cookie, time.time() if anew else None)
        asked = {"prompt": "login", "max_age": "0"} if anew else {}
        about = await self._discover()
        async with self._client() as client:
            url, _ = client.create_authorization_url(
                about["authorization_endpoint"],
                state=started.state,
                code_verifier=started.verifier,
                nonce=started.nonce,
                **asked,
            )
        return started, url

    async def finish(self, started: Started, code: str) -> Tokens:
        """Change the provider's code into the token that services get. Raises ProviderError."""
        about = await self._discover()
        try:
            async with self._client() as client:
                answer = await client.fetch_token(
                    about["token_endpoint"],
                    code=code,
                    code_verifier=started.verifier,
                    grant_type="authorization_code",
                )
                keys = KeySet.import_key_set(
                    (await client.request("GET", about["jwks_uri"], withhold_token=True)).json()
                )
            self._want_own(answer["id_token"], keys, started)
            return self._tokens(answer)
        except FAILURES as error:
            raise _unusable(error) from None

    async def renew(self, renewal: str) -> Tokens:
        """Get another token in the place of one that runs out (RFC 6749, 6). Raises ProviderError."""
        about = await self._discover()
        try:
            async with self._client() as client:
                answer = await client.refresh_token(about["token_endpoint"], refresh_token=renewal)
            return self._tokens({"refresh_token": renewal, **answer})
        except FAILURES as error:
            raise _unusable(error) from None

    def _tokens(self, answer: Mapping[str, Any]) -> Tokens:
        return Tokens(str(answer[self._own.token]), str(answer.get("refresh_token") or ""))

    def _want_own(self, token: str, keys: KeySet, started: Started) -> None:
        """The ID token is the provider's, for us, and answers this login (OpenID Connect Core 1.0, 3.1.3.7)."""
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": self._about["issuer"]},
            aud={"essential": True, "value": self._own.client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": started.nonce},
        )
        registry.validate(dict(claims))
        if started.anew_since is not None and not proven_since(claims, started.anew_since):
            raise ValueError("nobody proved anew who they are")

    async def _discover(self) -> Mapping[str, Any]:
        if not self._about:
            try:
                async with self._client() as client:
                    answer = await client.request(
                        "GET", f"{self._issuer}/.well-known/openid-configuration", withhold_token=True
                    )
                answer.raise_for_status()
                about = json.loads(answer.content[:MOST_BYTES])
                if about["issuer"].rstrip("/") != self._issuer:
                    raise ValueError("another provider")
                ends = [about[name] for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
                if not all(end.startswith("https://") for end in ends):
                    raise ValueError("an address without TLS")
            except (httpx.HTTPError, ValueError, TypeError, KeyError, AttributeError):
                raise ProviderError(
                    "login: the identity provider can't be reached, or is none: look at people.issuer"
                ) from None
            self._about = about
        return self._about

    def _client(self) -> AsyncOAuth2Client:
        secret = self._own.client_secret
        return AsyncOAuth2Client(
            client_id=self._own.client_id,
            client_secret=secret.read_text("utf-8").strip() if secret else None,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            redirect_uri=self.redirect_uri,
            scope=self._own.scope,
            code_challenge_method="S256",
            timeout=SECONDS,
            transport=self._transport,
        )


def proven_since(claims: Mapping[str, Any], since: float) -> bool:
    """Whether somebody proved who they are after a time: what the browser was sent to ask for may have been left out on
    the way, so the ID token has to say it (OpenID Connect Core 1.0, 3.1.2.1: `max_age` makes `auth_time` required)."""
    proven = claims.get("auth_time")
    return isinstance(proven, int | float) and proven >= since - LEEWAY


def _unusable(error: Exception) -> ProviderError:
    return ProviderError(
        f"login: the identity provider's answer can't be used ({type(error).__name__}): begin again"
    )
