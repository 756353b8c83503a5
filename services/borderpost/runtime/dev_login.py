"""A login for development: the same signed tokens as an identity provider's, made on this machine for whoever asks.

It proves nothing about anybody, so production refuses it: there it makes no tokens, and no service takes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from borderpost.runtime.calls import PEOPLE, Role
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.settings import DEVELOPMENT_ISSUER, Settings
from borderpost.runtime.signing import write_secret_once

LIFE: Final = timedelta(hours=8)
KEY_FILE: Final = "people-dev.key"
JWKS_FILE: Final = "people-dev.jwks"


class DevelopmentLoginError(BorderpostError):
    """The development login can't be used here."""

    reason = "DEVELOPMENT_LOGIN"


def make_login(folder: Path) -> Path:
    """Make the key of the development login, if there is none; return the file of its public part. Raises OSError."""
    key_file, jwks_file = folder / KEY_FILE, folder / JWKS_FILE
    if not key_file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_secret_once(key_file, pem)
    if not jwks_file.exists():
        public = {"keys": [_key(key_file).as_dict(private=False)]}
        write_secret_once(jwks_file, json.dumps(public).encode())
    return jwks_file


def development_token(
    settings: Settings, subject: str, roles: Iterable[str], now: datetime, scopes: Iterable[str] = ()
) -> str:
    """Make the token of a person. Raises DevelopmentLoginError."""
    wanted = sorted(set(roles))
    if settings.mode == "production":
        raise DevelopmentLoginError(
            "mode: production has no development login: log in at the identity provider, and name the token's file "
            "with people.token"
        )
    unknown = [role for role in wanted if role not in PEOPLE]
    if unknown or not wanted or not subject:
        raise DevelopmentLoginError(
            f"role: got {', '.join(unknown) or 'none'}, want some of: {', '.join(sorted(map(str, PEOPLE)))}"
        )
    try:
        make_login(settings.certificates)
        key = _key(settings.certificates / KEY_FILE)
    except OSError as error:
        raise DevelopmentLoginError(
            f"{error.filename}: {error.strerror}: want the state folder that the services were started with"
        ) from None
    claims = {
        "iss": DEVELOPMENT_ISSUER,
        "aud": settings.people.audience,
        "sub": subject,
        "iat": int(now.timestamp()),
        "auth_time": int(now.timestamp()),
        "exp": int((now + LIFE).timestamp()),
        settings.people.roles_claim: [str(Role(role)) for role in wanted],
        settings.people.scopes_claim: sorted(set(scopes)),
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)


def _key(file: Path) -> ECKey:
    key = ECKey.import_key(file.read_bytes())
    key.ensure_kid()
    return key
