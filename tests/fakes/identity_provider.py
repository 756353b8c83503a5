"""An identity provider that isn't there, behind an HTTP client's transport: as much of one as the console uses."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx2
from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "https://login.example/realm"


@dataclass
class FakeProvider:
    """Answers as it is told to. `life`: how long its tokens hold, in seconds. `renewal`: what another token is got with
    now, empty for none; each works once, as providers have it that rotate them."""

    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    claims: dict[str, Any] = field(default_factory=dict)
    nonce: str = ""
    challenge: str = ""
    away: bool = False
    calls: int = 0
    life: int = 600
    renewal: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key.ensure_kid()

    def token(self, **more: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": "borderpost",
            "sub": "ann",
            "iat": now,
            "exp": now + self.life,
            "auth_time": now,
            "borderpost_roles": ["officer"],
        }
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims | self.claims | more, self.key)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.calls += 1
        if self.away:
            raise httpx2.ConnectError("away")
        if request.url.path.endswith("/.well-known/openid-configuration"):
            ends = {
                name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
            }
            return httpx2.Response(200, json={"issuer": ISSUER, **ends})
        if request.url.path.endswith("/jwks_uri"):
            return httpx2.Response(200, json={"keys": [self.key.as_dict(private=False)]})
        asked = parse_qs(request.content.decode())
        self.asked.append(asked)
        if asked["grant_type"] == ["refresh_token"]:
            return self._renewed(asked["refresh_token"][0])
        digest = hashlib.sha256(asked["code_verifier"][0].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
            return httpx2.Response(400, json={"error": "invalid_grant"})
        tokens = {"access_token": self.token(), "id_token": self.token(nonce=self.nonce)}
        return httpx2.Response(200, json=tokens | self._more())

    def _renewed(self, shown: str) -> httpx2.Response:
        if shown != self.renewal:
            return httpx2.Response(400, json={"error": "invalid_grant"})
        self.renewal = f"{self.renewal}+"
        return httpx2.Response(200, json={"access_token": self.token()} | self._more())

    def _more(self) -> dict[str, str]:
        return {"token_type": "Bearer"} | ({"refresh_token": self.renewal} if self.renewal else {})
