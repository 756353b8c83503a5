"""The console over HTTP, before a gateway that isn't there: who is let in, what a page may do, and what errors say."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from joserfc.jwk import ECKey
from starlette.testclient import TestClient

from borderpost.console.app import CONTENT_SECURITY_POLICY, ROUTES, make_app
from borderpost.console.pages import Console
from borderpost.console.server import AddressTakenError, ConsoleUnsafeError, listen, make_server
from borderpost.console.sessions import Sessions
from borderpost.runtime.clock import SystemClock, new_id, to_timestamp
from borderpost.runtime.people import open_people
from borderpost.runtime.settings import ConsoleSettings, PeopleSettings, Settings
from borderpost.runtime.status import RemoteError
from borderpost.v1 import (
    authority_pb2,
    cases_pb2,
    decisions_pb2,
    faces_pb2,
    gateway_pb2,
    subjects_pb2,
    transparency_pb2,
    trust_pb2,
    watchlist_pb2,
)
from fakes.console_gateway import FakeGateway

URL = "http://127.0.0.1:7490"
ORIGIN = {"Origin": URL}


@pytest.fixture
def house(tmp_path, monkeypatch) -> Iterator[tuple[TestClient, FakeGateway, Console]]:
    settings, clock = Settings(state_dir=tmp_path), SystemClock()
    gateway = FakeGateway()
    console = Console(settings, gateway, open_people(settings, clock), Sessions(900), clock)
    with TestClient(make_app(console), base_url=URL, follow_redirects=False) as client:
        yield client, gateway, console


def login(client: TestClient, role: str = "officer", name: str = "ann", **more: str) -> Any:
    answer = client.post("/login/development", data={"name": name, "role": role, **more}, headers=ORIGIN)
    assert answer.status_code == 303, answer.text
    return answer


def token_of(client: TestClient) -> str:
    found = re.search(r'data-csrf="([^"]+)"', client.get("/queue").text)
    assert found
    return found[1]


def test_nobody_gets_a_page_without_a_login_and_comes_back_to_it_after(house):
    client, gateway, _ = house
    for route in ROUTES:
        path = re.sub(r"\{\w+\}", new_id(), route.path)
        answer = client.request(route.method, path, headers=ORIGIN)
        assert answer.status_code == (401 if route.quiet else 303), path
        assert route.quiet or answer.headers["location"].startswith("/login")
    assert gateway.asked == []
    away = client.get("/queue?view=mine").headers["location"]
    assert away == "/login?next=%2Fqueue%3Fview%3Dmine"
    assert login(client, next="/queue?view=mine").headers["location"] == "/queue?view=mine"


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "/a\nb", ""]
)
def test_a_login_leads_to_no_other_site(house, elsewhere):
    assert login(house[0], next=elsewhere).headers["location"] == "/"


def test_every_answer_has_the_strict_headers(house):
    client, _, _ = house
    login(client)
    paths = [
        "/login",
        "/queue",
        "/nothing",
        "/static/console.css",
        "/static/console.js",
        "/pictures/none",
        "/queue/rows",
    ]
    for path in paths:
        answer = client.get(path)
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert path.startswith("/static/") or answer.headers["cache-control"] == "no-store", path
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "'none'" in CONTENT_SECURITY_POLICY
    for html in ("/login", "/queue"):
        text = client.get(html).text
        assert "<style" not in text
        assert " style=" not in text
        assert not re.search(r"<script(?! src=)", text)
        assert not re.search(r"\son[a-z]+=", text)


def test_the_cookie_is_for_this_console_alone(house):
    answer = login(house[0])
    cookie = next(each for each in answer.headers.get_list("set-cookie") if "borderpost_console=" in each)
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_over_tls_the_cookie_is_bound_to_its_host(tmp_path):
    own = ConsoleSettings(url="https://console.example")
    settings, clock = Settings(state_dir=tmp_path, console=own), SystemClock()
    console = Console(settings, FakeGateway(), open_people(settings, clock), Sessions(900), clock)
    with TestClient(make_app(console), base_url="https://console.example", follow_redirects=False) as client:
        answer = client.post(
            "/login/development",
            data={"name": "ann", "role": "officer"},
            headers={"Origin": "https://console.example"},
        )
        cookie = next(each for each in answer.headers.get_list("set-cookie") if "__Host-borderpost=" in each)
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": URL, "Sec-Fetch-Site": "cross-site"}, True),
        ({"Origin": URL, "Host": "evil.example"}, True),
        ({"Origin": URL}, False),
    ],
)
def test_nothing_is_changed_from_another_site(house, headers, refused):
    client, gateway, _ = house
    login(client)
    token, case_id = token_of(client), new_id()
    gateway.answers["ClaimCase"] = cases_pb2.ClaimCaseResponse()
    answer = client.post(f"/cases/{case_id}/claim", data={"csrf": token}, headers=headers)
    assert (answer.status_code == 403) is refused
    assert ("ClaimCase" in [name for name, _, _ in gateway.asked]) is not refused


@pytest.mark.parametrize("token", ["", "x", None])
def test_nothing_is_changed_without_the_forms_own_token(house, token):
    client, gateway, _ = house
    login(client)
    data = {} if token is None else {"csrf": token}
    assert client.post(f"/cases/{new_id()}/claim", data=data, headers=ORIGIN).status_code == 403
    assert gateway.asked == []


def test_a_link_from_elsewhere_opens_a_page_and_nothing_else(house):
    client, _, _ = house
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/queue", headers=link).status_code == 303
    assert client.get("/queue", headers={**link, "Sec-Fetch-Dest": "iframe"}).status_code == 403
    assert client.get("/queue/rows", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_the_persons_own_token_and_purpose_go_with_every_call(house):
    client, gateway, console = house
    login(client, name="ann")
    client.get("/queue")
    [(_, _, metadata)] = gateway.asked
    assert console.people.verify(metadata["authorization"].removeprefix("Bearer ")).actor.subject == "ann"


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (grpc.StatusCode.NOT_FOUND, "CASE_NOT_FOUND", 404),
        (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED", 403),
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", 503),
        (grpc.StatusCode.DATA_LOSS, "LOG_DAMAGED", 500),
    ],
)
def test_what_a_service_refuses_is_said_in_words_with_its_code(house, code, reason, status):
    client, gateway, _ = house
    login(client)
    gateway.answers["ListCases"] = RemoteError(code, reason, "in the service's words")
    answer = client.get("/queue")
    assert answer.status_code == status
    assert reason in answer.text


def test_whose_token_has_run_out_logs_in_again(house):
    client, gateway, _ = house
    login(client)
    gateway.answers["ListCases"] = RemoteError(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED", "")
    assert client.get("/queue").headers["location"] == "/login?again=1&next=%2Fqueue"
    assert client.get("/queue/rows").status_code == 401


def test_what_was_filled_in_outlasts_a_token(house):
    client, gateway, console = house
    login(client)
    token, case = token_of(client), new_id()
    gateway.answers["GiveFinding"] = RemoteError(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED", "")
    fields = {"csrf": token, "document": "SAME_PERSON", "disposition": "PROCEED", "note": "the scar agrees"}
    sent = client.post(f"/cases/{case}/finding", data=fields, headers=ORIGIN)
    assert sent.headers["location"] == f"/login?again=1&next=%2Fcases%2F{case}"
    login(client, again="1", next=f"/cases/{case}")
    gateway.answers["ClaimCase"] = cases_pb2.ClaimCaseResponse()
    client.post(f"/cases/{case}/claim", data={"csrf": token}, headers=ORIGIN)
    now = to_timestamp(console.clock.now())
    held = cases_pb2.Case(
        case_id=case, opened_at=now, lease_until=now, state=cases_pb2.CASE_STATE_CLAIMED, holder="ann"
    )
    gateway.answers["GetCase"] = cases_pb2.GetCaseResponse(case=held)
    assert "Why do you look" in client.get(f"/cases/{case}").text  # it isn't theirs (any more)
    gateway.answers["ListCases"] = cases_pb2.ListCasesResponse(cases=[held])
    assert "the scar agrees" in client.get(f"/cases/{case}").text


def test_a_development_login_that_is_made_anew_is_limited_as_before(house):
    client, _, _ = house
    login(client, scopes="crossing:north")
    assert 'name="scopes" value="crossing:north"' in client.get("/login?again=1").text


def test_what_nobody_foresaw_says_nothing_about_itself(house, caplog, capfd):
    client, gateway, _ = house
    gateway.answers["ListCases"] = ValueError("Mr. Canary, U1CANARY1")
    login(client)
    answer = client.get("/queue")
    assert answer.status_code == 500
    told = answer.text + caplog.text + "".join(capfd.readouterr())
    assert "CANARY" not in told.upper()
    assert "page_failed" in told


@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize("role", ["officer", "auditor", "list-manager", "supervisor", "administrator"])
def test_a_form_that_no_page_has_is_refused_in_words_and_never_a_fault(house, role, empty):
    """Every form, with nothing, with what is no number, no date, no file, and with what is too long."""
    client, gateway, _ = house
    login(client, role)
    token = re.search(r'data-csrf="([^"]+)"', client.get("/nothing").text)
    assert token
    refused = RemoteError(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", "in the service's words")
    gateway.answers = Empty() if empty else Refusing(refused)
    fields = (
        "document",
        "disposition",
        "index",
        "priority",
        "target",
        "from",
        "until",
        "born",
        "policy",
        "event",
    )
    for value in (
        "",
        "-1",
        "nan",
        "1e999",
        "99999999999999999999",
        "0000-99-99",
        "\x00",
        "🐤" * 50,
        "x" * 5000,
    ):
        for route in ROUTES:
            path = re.sub(r"\{\w+\}", new_id(), route.path)
            data = {
                "csrf": token[1],
                **dict.fromkeys(fields, value),
                "purpose": "other",
                "words": "w",
                "request": "r",
            }
            answer = client.request(
                route.method, path, data=data if route.method == "POST" else None, headers=ORIGIN
            )
            assert answer.status_code < 500, (path, value, answer.text[-300:])


class Empty(dict[str, Any]):
    """Every method answers with a message in which nothing is set."""

    def __getitem__(self, name: str) -> Any:
        rooms = (cases_pb2, decisions_pb2, gateway_pb2, watchlist_pb2, subjects_pb2, trust_pb2)
        rooms = (*rooms, authority_pb2, transparency_pb2, faces_pb2)
        return next(getattr(room, f"{name}Response")() for room in rooms if hasattr(room, f"{name}Response"))


class Refusing(dict[str, Any]):
    """Every method is refused."""

    def __init__(self, error: RemoteError) -> None:
        super().__init__()
        self.error = error

    def __getitem__(self, _: str) -> RemoteError:
        return self.error


def test_who_logs_out_is_out(house):
    client, _, _ = house
    login(client)
    token = token_of(client)
    assert client.post("/logout", data={"csrf": token}, headers=ORIGIN).headers["location"] == "/login"
    assert client.get("/queue").headers["location"].startswith("/login")


def test_a_language_is_chosen_and_kept(house):
    client, _, _ = house
    assert 'lang="de"' in client.get("/login", headers={"Accept-Language": "de-AT"}).text
    login(client)
    assert 'lang="en"' in client.get("/queue").text
    client.post("/language", data={"language": "de", "next": "/queue"}, headers=ORIGIN)
    assert 'lang="de"' in client.get("/queue").text
    assert (
        client.post("/language", data={"language": "xx", "next": "//evil"}, headers=ORIGIN).headers[
            "location"
        ]
        == "/"
    )


def test_the_development_login_is_nobodys_in_production(tmp_path):
    people = PeopleSettings(issuer="https://login.example", keys=tmp_path / "jwks")
    (tmp_path / "jwks").write_text(json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}))
    own = ConsoleSettings(url="https://console.example")
    settings = Settings(state_dir=tmp_path, mode="production", people=people, console=own)
    console = Console(
        settings, FakeGateway(), open_people(settings, SystemClock()), Sessions(900), SystemClock()
    )
    with TestClient(make_app(console), base_url=own.url, follow_redirects=False) as client:
        assert "/login/development" not in client.get("/login").text
        data = {"name": "ann", "role": "officer"}
        answer = client.post("/login/development", data=data, headers={"Origin": own.url})
        assert answer.status_code == 403
        assert "__Host-borderpost=" not in str(answer.headers)


def test_an_address_that_is_taken_is_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        own = ConsoleSettings(listen=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(AddressTakenError, match=r"console\.listen"):
            listen(Settings(state_dir=tmp_path, console=own))


async def test_in_production_the_console_wants_tls(tmp_path):
    with pytest.raises(ConsoleUnsafeError):
        await make_server(Settings(state_dir=tmp_path, mode="production"))


def test_false_alarms_are_reckoned_from_the_busiest_crossings_traffic_unless_a_number_is_given(house):
    client, gateway, _ = house
    login(client, "list-manager")
    status = watchlist_pb2.WatchlistStatus(active_entries=1)
    status.watchlist.list_id, status.watchlist.target_fpir = new_id(), 0.01
    status.thresholds.add(score=0.3, target_supported=True)
    gateway.answers["ListWatchlists"] = watchlist_pb2.ListWatchlistsResponse(watchlists=[status])
    figures = decisions_pb2.GetFiguresResponse()
    for day, crossing, visits in (
        ("1", "north", 400),
        ("2", "north", 601),
        ("2", "south", 90),
        ("3", "south", 0),
    ):
        figures.days.add(day=day, crossing=crossing, visits=visits)
    gateway.answers["GetFigures"] = figures
    shown = client.get("/lists").text
    assert "5 a day" in shown
    assert "north 501" in shown
    assert "south 90" in shown
    assert "20 a day" in client.get("/lists?travelers=2000").text
    gateway.answers["GetFigures"] = RemoteError(grpc.StatusCode.UNAVAILABLE, "", "")
    assert "10 a day" in client.get("/lists").text
    login(client, "officer")
    gateway.asked.clear()
    assert "10 a day" in client.get("/lists").text
    assert [name for name, _, _ in gateway.asked] == ["ListWatchlists"]
