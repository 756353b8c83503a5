"""People, by the tokens of their identity provider: JSON Web Tokens (RFC 7519) as OpenID Connect has them.

A person's call comes from a machine that people sit at (role `console`), with `authorization: Bearer TOKEN`. The
gateway verifies the token, and every service that the call reaches verifies it again: none takes another's word for
who asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import grpc
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidTokenError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from borderpost.runtime.calls import PEOPLE, Actor, Role
from borderpost.runtime.clock import Clock
from borderpost.runtime.dev_login import make_login
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.provider_keys import DiscoveredKeys, FileKeys
from borderpost.runtime.settings import DEVELOPMENT_ISSUER, Settings

AUTHORIZATION_KEY: Final = "authorization"
BEARER: Final = "Bearer "

ALGORITHMS: Final = ("ES256", "ES384", "Ed25519", "RS256", "PS256")
"""What a token may be signed with (RFC 7518, 3.1; RFC 9864): signatures alone. What shares a secret with the provider
could be made by whoever checks it."""

MAX_TOKEN_BYTES: Final = 8 * 1024
"""gRPC takes metadata of 8 KB by default; a token with dozens of groups has 4 KB."""

LEEWAY: Final = timedelta(seconds=30)
"""By how much the clocks of provider and service may differ."""

MAX_NAME: Final = 200
"""Characters of issuer and subject: they go into the log."""


class TokenMissingError(BorderpostError):
    """The method is for people, and the call has no token."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "TOKEN_MISSING"


class TokenExpiredError(BorderpostError):
    """The token has run out, or is older than this installation takes."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "TOKEN_EXPIRED"


class TokenInvalidError(BorderpostError):
    """The token is none, is not signed by the identity provider, or not made for Borderpost."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "TOKEN_INVALID"


class TokenNotHereError(BorderpostError):
    """A machine that nobody sits at showed a person's token."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "TOKEN_NOT_HERE"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as their provider's token says: who, in which roles, limited to what, since when they are logged in,
    and until when the token holds."""

    actor: Actor
    roles: frozenset[Role]
    scopes: frozenset[str]
    authenticated_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """Whose tokens are taken, and where in them the roles are. `most_age`: since the login, whatever the token says."""

    issuer: str
    audience: str
    roles_claim: str
    scopes_claim: str
    most_age: timedelta


class Keys(Protocol):
    """The provider's public keys."""

    def current(self, key_id: str) -> KeySet:
        """Return the keys, among them the one with this id if there is one (any more)."""


class People:
    """Verifies tokens. To be used by many threads."""

    def __init__(self, terms: Terms | None, keys: Keys | None, clock: Clock) -> None:
        """`terms` and `keys` are None where no identity provider is set: then nobody gets in."""
        self._terms = terms
        self._keys = keys
        self._clock = clock

    def verify(self, token: str) -> Person:
        """Return whom a token names. Raises TokenInvalidError, TokenExpiredError; nothing of the token is in them."""
        if self._terms is None or self._keys is None:
            raise TokenInvalidError(
                "token: no identity provider is set here, so nobody can be known: set people.issuer"
            )
        # 1. Which key is it said to be signed with?
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenInvalidError(f"token: want at most {MAX_TOKEN_BYTES:,} bytes")
        keys = self._keys.current(_key_id(token))
        # 2. Did that key of the provider sign it?
        try:
            claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
        except (JoseError, ValueError, TypeError):
            raise TokenInvalidError(
                "token: it is none, or not signed by the identity provider of this installation: log in again"
            ) from None
        # 3. Is it for us, and does it hold now?
        return self._person(self._terms, claims)

    def _person(self, terms: Terms, claims: Mapping[str, Any]) -> Person:
        now = self._clock.now()
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(now.timestamp()),
            leeway=int(LEEWAY.total_seconds()),
            iss={"essential": True, "value": terms.issuer},
            aud={"essential": True, "value": terms.audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            registry.validate(dict(claims))
            since = datetime.fromtimestamp(float(claims.get("auth_time", claims["iat"])), UTC)
            until = datetime.fromtimestamp(float(claims["exp"]), UTC)
            if since > now + LEEWAY:
                raise ValueError("a login of the future")
            roles, scopes = _texts(claims.get(terms.roles_claim)), _texts(claims.get(terms.scopes_claim))
            if any(scope.endswith(":") for scope in scopes):
                raise ValueError("a scope of nothing")
        except ExpiredTokenError:
            raise TokenExpiredError("token: it has run out: log in again") from None
        except (InvalidTokenError, JoseError, ValueError, TypeError, OverflowError, OSError):
            raise TokenInvalidError(
                "token: it is of another provider, for another application, lacks a claim (iss, aud, sub, exp, iat), "
                "or has one of the wrong kind (auth_time, roles, scopes)"
            ) from None
        if now - since > terms.most_age + LEEWAY:
            raise TokenExpiredError("token: the login was too long ago for this installation: log in again")
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_NAME or not subject.isprintable():
            raise TokenInvalidError(f"token: want a subject of 1 to {MAX_NAME} printable characters")
        known = frozenset(Role(role) for role in roles if role in PEOPLE)
        return Person(Actor(terms.issuer, subject), known, frozenset(scopes), since, until)


def bearer(value: str | bytes | None) -> str:
    """Return the token of an authorization header; empty if there is none. Raises TokenInvalidError."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else value.decode("ascii", "replace")
    if not text.startswith(BEARER):
        raise TokenInvalidError("authorization: want `Bearer` and a token (RFC 6750)")
    return text.removeprefix(BEARER).strip()


def token_metadata(token: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata in which a console tells the gateway who sits at it."""
    return ((AUTHORIZATION_KEY, f"{BEARER}{token}"),)


def _key_id(token: str) -> str:
    """The id of the key that a token says it is signed with. Nothing is believed of it yet."""
    try:
        key_id = extract_compact(token.encode()).headers().get("kid", "")
    except (JoseError, ValueError, TypeError):
        return ""
    return key_id if isinstance(key_id, str) else ""


def _texts(claim: object) -> Sequence[str]:
    """Read a claim that lists texts: an array, or one text with spaces between (RFC 8693, 4.2); nothing if it is not
    there. Raises ValueError for anything else: scopes that can't be read must not count as none, which limit nobody."""
    if claim is None:
        return ()
    if isinstance(claim, str):
        return claim.split()
    if isinstance(claim, list) and all(isinstance(text, str) for text in claim):
        return claim
    raise ValueError("no list of texts")


def open_people(settings: Settings, clock: Clock) -> People:
    """Make what verifies people's tokens, as the settings say. Raises ProviderKeysError."""
    own = settings.people
    issuer = own.issuer or (DEVELOPMENT_ISSUER if settings.mode == "development" else None)
    if issuer is None:
        return People(None, None, clock)
    terms = Terms(
        issuer, own.audience, own.roles_claim, own.scopes_claim, timedelta(seconds=own.most_age_seconds)
    )
    return People(terms, _keys(settings, issuer), clock)


def _keys(settings: Settings, issuer: str) -> Keys:
    if settings.people.keys is not None:
        return FileKeys(settings.people.keys)
    if issuer == DEVELOPMENT_ISSUER:
        return FileKeys(make_login(settings.certificates))
    return DiscoveredKeys(issuer)
