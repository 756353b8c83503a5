"""Logging in at an identity provider: the whole flow, and everything about it that could be forged."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc.jwk import KeySet
from starlette.testclient import TestClient

from borderpost.console import app as console_app
from borderpost.console.app import make_app
from borderpost.console.pages import Console
from borderpost.console.provider import Provider
from borderpost.console.sessions import Sessions
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.people import People, Terms
from borderpost.runtime.settings import ConsoleSettings, PeopleSettings, Settings
from fakes.console_gateway import FakeGateway
from fakes.identity_provider import ISSUER, FakeProvider

URL = "https://console.example"


@dataclass
class House:
    provider: FakeProvider
    client: TestClient
    console: Console
    gateway: FakeGateway

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
    gateway = FakeGateway()
    console = Console(settings, gateway, People(terms, Keys(), clock), Sessions(900), clock)
    with TestClient(make_app(console), base_url=URL, follow_redirects=False) as client:
        yield House(provider, client, console, gateway)


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


@pytest.mark.parametrize("auth_time", [None, -3600])
def test_who_is_asked_anew_and_lets_an_old_login_answer_is_refused(house, auth_time):
    """Whoever sits at the browser can leave out of the address that the provider shall ask again."""
    house.back(house.begin()["state"])
    asked = house.begin("/login/start?again=1&next=/cases/1")
    house.provider.claims = {"auth_time": auth_time and int(time.time()) + auth_time}
    answer = house.back(asked["state"])
    assert answer.status_code == 403
    assert not entered(answer)


def tokens_used(house: House) -> list[str]:
    return [metadata["authorization"] for _, _, metadata in house.gateway.asked]


def test_a_token_that_runs_out_is_renewed_and_nobody_notices(house):
    house.provider.life, house.provider.renewal = 50, "r"
    house.back(house.begin()["state"])
    house.provider.life = 600
    assert [house.client.get("/queue").status_code for _ in range(3)] == [200] * 3
    first, second, third = tokens_used(house)
    assert house.provider.renewal == "r+"  # once: the new one holds long enough
    assert first == second == third


def test_every_renewal_is_with_what_the_last_one_gave(house):
    house.provider.life, house.provider.renewal = 50, "r"
    house.back(house.begin()["state"])
    assert [house.client.get("/queue").status_code for _ in range(3)] == [200] * 3
    assert house.provider.renewal == "r+++"


def test_a_renewed_token_makes_no_login_newer(house):
    """A provider that doesn't say when somebody logged in leaves the token's own time, which each renewal moves on."""
    house.provider.life, house.provider.renewal = 50, "r"
    house.provider.claims = {"auth_time": int(time.time()) - 3500}
    answer = house.back(house.begin()["state"])
    house.provider.claims = {"auth_time": int(time.time())}
    house.client.get("/queue")
    (cookie,) = re.findall(r"__Host-borderpost=([^;]+)", str(answer.headers.get_list("set-cookie")))
    session = house.console.sessions.find(cookie)
    assert house.provider.renewal == "r+"
    assert session is not None
    assert not session.is_fresh(house.console.clock.now(), 3000)


@pytest.mark.parametrize("how", ["away", "refused", "somebody else's"])
def test_what_is_not_renewed_goes_on_until_the_services_refuse_it(house, how):
    house.provider.life, house.provider.renewal = 50, "r"
    house.back(house.begin()["state"])
    house.provider.away = how == "away"
    house.provider.renewal = "another" if how == "refused" else "r"
    house.provider.claims = {"sub": "eve"} if how == "somebody else's" else {}
    answer = house.client.get("/queue")
    assert answer.status_code == 200
    assert "eve" not in answer.text
    assert len(set(tokens_used(house))) == 1


def test_a_provider_that_is_away_is_not_asked_at_every_request(house):
    house.provider.life, house.provider.renewal = 50, "r"
    house.back(house.begin()["state"])
    house.provider.away, before = True, house.provider.calls
    assert [house.client.get("/queue").status_code for _ in range(5)] == [200] * 5
    assert house.provider.calls == before + 1


def test_a_login_that_is_too_old_is_not_renewed(house):
    house.provider.life, house.provider.renewal = 50, "r"
    house.provider.claims = {"auth_time": int(time.time()) - 12 * 3600 - 5}  # within the clocks' leeway
    house.back(house.begin()["state"])
    house.client.get("/queue")
    assert house.provider.renewal == "r"


def test_the_next_person_at_a_desk_is_asked_who_they_are(house):
    """A provider still knows who logged in there last, and would let anybody in as them."""
    assert "prompt" not in house.begin()
    house.back(house.begin()["state"])
    house.console.sessions.sweep()
    assert house.begin("/login/start")["prompt"] == "login"
