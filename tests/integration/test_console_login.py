"""Logging in at an identity provider: the whole flow, and everything about it that could be forged."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.testclient import TestClient

from borderpost.console import app as console_app
from borderpost.console.app import make_app
from borderpost.console.gateway import Gateway
from borderpost.console.pages import Console
from borderpost.console.provider import Provider
from borderpost.console.sessions import Sessions
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.people import People, Terms
from borderpost.runtime.settings import ConsoleSettings, PeopleSettings, Settings

ISSUER = "https://login.example/realm"
URL = "https://console.example"


@dataclass
class FakeProvider:
    """An identity provider that isn't there: answers the console over HTTP, as it is told to."""

    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    claims: dict[str, Any] = field(default_factory=dict)
    nonce: str = ""
    challenge: str = ""
    away: bool = False
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
            "exp": now + 600,
            "auth_time": now,
            "borderpost_roles": ["officer"],
        }
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims | self.claims | more, self.key)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
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
        digest = hashlib.sha256(asked["code_verifier"][0].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
            return httpx2.Response(400, json={"error": "invalid_grant"})
        tokens = {"access_token": self.token(), "id_token": self.token(nonce=self.nonce)}
        return httpx2.Response(200, json={**tokens, "token_type": "Bearer"})


@dataclass
class House:
    provider: FakeProvider
    client: TestClient
    console: Console

    def begin(self, path: str = "/login/start?next=/queue") -> dict[str, str]:
        """Follow the link to the provider; return what it is asked."""
        answer = self.client.get(path)
        assert answer.status_code == 303
        asked = {
            name: value[0] for name, value in parse_qs(urlsplit(answer.headers["location"]).query).items()
        }
        self.provider.nonce, self.provider.challenge = asked["nonce"], asked["code_challenge"]
        return asked

    def back(self, state: str, code: str = "code") -> Any:
        return self.client.get(f"/login/back?state={state}&code={code}")


@pytest.fixture
def house(tmp_path, monkeypatch) -> Iterator[House]:
    provider, clock = FakeProvider(), SystemClock()
    people = PeopleSettings(issuer=ISSUER)
    settings = Settings(
        state_dir=tmp_path, mode="production", people=people, console=ConsoleSettings(url=URL)
    )
    transport = httpx2.MockTransport(provider)
    monkeypatch.setattr(console_app, "Provider", lambda own: Provider(own, transport))

    class Keys:
        def current(self, _: str) -> Any:
            return KeySet([provider.key])

    terms = Terms(ISSUER, "borderpost", "borderpost_roles", "borderpost_scopes", timedelta(hours=12))
    console = Console(settings, Gateway.__new__(Gateway), People(terms, Keys(), clock), Sessions(900), clock)
    with TestClient(make_app(console), base_url=URL, follow_redirects=False) as client:
        yield House(provider, client, console)


def entered(answer: Any) -> bool:
    return any("__Host-borderpost=" in each for each in answer.headers.get_list("set-cookie"))


def test_a_person_is_sent_to_the_provider_and_comes_back_to_where_they_were_going(house):
    asked = house.begin()
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"{URL}/login/back"
    assert asked["response_type"] == "code"
    assert "openid" in asked["scope"]
    answer = house.back(asked["state"])
    assert answer.headers["location"] == "/queue"
    assert entered(answer)
    assert house.provider.asked[0]["code"] == ["code"]


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another login's"},
        {"aud": "another application"},
        {"iss": "https://evil.example"},
        {"exp": 1},
    ],
)
def test_an_answer_to_another_login_or_for_somebody_else_is_refused(house, claims):
    asked = house.begin()
    house.provider.claims = claims
    if "nonce" in claims:
        house.provider.nonce = claims["nonce"]
    answer = house.back(asked["state"])
    assert answer.status_code == 403
    assert not entered(answer)


def test_a_token_of_another_key_is_refused(house):
    asked = house.begin()
    forger = FakeProvider(nonce=house.provider.nonce)
    house.provider.token = forger.token  # type: ignore[method-assign]
    assert not entered(house.back(asked["state"]))


def test_the_same_answer_works_once_and_only_in_the_browser_that_began(house):
    asked = house.begin()
    with TestClient(house.client.app, base_url=URL, follow_redirects=False) as stranger:
        assert not entered(stranger.get(f"/login/back?state={asked['state']}&code=code"))
    assert not entered(house.back(asked["state"]))  # a stranger has used it up: begin again
    asked = house.begin()
    assert entered(house.back(asked["state"]))
    assert not entered(house.back(asked["state"]))
    assert not entered(house.back("invented"))


def test_a_provider_that_lets_nobody_in_or_is_away_is_said(house):
    asked = house.begin()
    refused = house.client.get(f"/login/back?state={asked['state']}&error=access_denied")
    assert refused.status_code == 403
    house.provider.away = True
    with TestClient(make_app(house.console), base_url=URL, follow_redirects=False) as client:
        answer = client.get("/login/start")
        assert answer.status_code == 503
        assert "identity provider" in answer.text


def test_to_prove_anew_who_one_is_the_provider_asks_again(house):
    house.back(house.begin()["state"])
    asked = house.begin("/login/start?again=1&next=/cases/1")
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    answer = house.back(asked["state"])
    assert answer.headers["location"] == "/cases/1"
    assert entered(answer)
