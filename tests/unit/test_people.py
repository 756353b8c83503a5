"""People by their tokens: only the provider's, only for us, only while they hold; no login of our own in production."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from http.client import BadStatusLine, IncompleteRead
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from borderpost.runtime.calls import Actor, Role
from borderpost.runtime.dev_login import DevelopmentLoginError, development_token, make_login
from borderpost.runtime.people import (
    People,
    Terms,
    TokenExpiredError,
    TokenInvalidError,
    bearer,
    open_people,
)
from borderpost.runtime.provider_keys import (
    AGAIN_SECONDS,
    REFRESH_SECONDS,
    DiscoveredKeys,
    FileKeys,
    ProviderKeysError,
    fetch,
)
from borderpost.runtime.settings import DEVELOPMENT_ISSUER, Settings, SettingsError, load_settings

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ISSUER = "https://login.example"
TERMS = Terms(ISSUER, "borderpost", "roles", "borderpost_scopes", timedelta(hours=12))
SUBJECT = "CANARY-SUBJECT"


class At:
    def __init__(self, time=NOW):
        self.time = time

    def now(self):
        return self.time


def made(kind="EC"):
    makers = {
        "EC": lambda: ECKey.generate_key("P-256"),
        "OKP": lambda: OKPKey.generate_key("Ed25519"),
        "RSA": lambda: RSAKey.generate_key(2048),
    }
    key = makers[kind]()
    key.ensure_kid()
    return key


class Fixed:
    def __init__(self, *keys):
        self._keys = KeySet(list(keys))

    def current(self, key_id):
        return self._keys


KEY = made()


def claims(**changes):
    stated = {
        "iss": ISSUER,
        "aud": "borderpost",
        "sub": SUBJECT,
        "iat": int(NOW.timestamp()) - 60,
        "exp": int(NOW.timestamp()) + 3600,
        "roles": ["officer", "janitor", "kiosk"],
        "borderpost_scopes": "crossing:north list:one",
    }
    return {name: value for name, value in (stated | changes).items() if value is not None}


def signed(key=KEY, algorithm="ES256", **changes):
    return jwt.encode({"alg": algorithm, "kid": key.kid}, claims(**changes), key, algorithms=[algorithm])


def verify(token, *keys):
    return People(TERMS, Fixed(*(keys or (KEY,))), At()).verify(token)


def test_a_token_names_a_person_with_the_roles_and_scopes_that_we_know():
    person = verify(signed())
    assert person.actor == Actor(ISSUER, SUBJECT)
    assert person.roles == {Role.OFFICER}  # a janitor is nobody here, and no token makes a kiosk
    assert person.scopes == {"crossing:north", "list:one"}


def test_scopes_and_roles_may_be_arrays_or_words():
    person = verify(signed(roles="officer auditor", borderpost_scopes=["crossing:north"]))
    assert person.roles == {Role.OFFICER, Role.AUDITOR}
    assert person.scopes == {"crossing:north"}


@pytest.mark.parametrize(("kind", "algorithm"), [("OKP", "Ed25519"), ("RSA", "RS256"), ("RSA", "PS256")])
def test_other_signatures_are_taken_too(kind, algorithm):
    key = made(kind)
    assert verify(signed(key, algorithm), key).roles == {Role.OFFICER}


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "another-application"},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 201},
        {"sub": "line\nbreak"},
        {"exp": None},
        {"iat": None},
        {"iat": int(NOW.timestamp()) + 3600},
        {"nbf": int(NOW.timestamp()) + 3600},
        {"auth_time": "yesterday"},
        {"auth_time": 1e300},
        {"auth_time": int(NOW.timestamp()) + 3600},
        {"roles": 7},
        {"borderpost_scopes": 7},
        {"borderpost_scopes": [["crossing:north"]]},
        {"borderpost_scopes": {"crossing:north": True}},
        {"borderpost_scopes": "crossing:"},
        {"borderpost_scopes": ["list:one", "crossing:"]},
    ],
    ids=str,
)
def test_a_token_of_another_or_for_another_or_without_a_claim_is_refused(changes):
    with pytest.raises(TokenInvalidError) as caught:
        verify(signed(**changes))
    assert SUBJECT not in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(NOW.timestamp()) - 60},
        {"iat": int((NOW - timedelta(hours=13)).timestamp())},
        {"auth_time": int((NOW - timedelta(days=3)).timestamp())},
    ],
    ids=["run out", "issued too long ago", "logged in too long ago"],
)
def test_a_token_that_has_run_out_or_a_login_too_long_ago_is_refused(changes):
    with pytest.raises(TokenExpiredError):
        verify(signed(**changes))


def test_a_token_that_somebody_else_signed_is_refused():
    other = made()
    with pytest.raises(TokenInvalidError):
        verify(signed(other))
    forged = ECKey.import_key(other.as_dict(private=True) | {"kid": KEY.kid})
    with pytest.raises(TokenInvalidError):
        verify(signed(forged))


def test_a_token_that_shares_a_secret_or_is_not_signed_at_all_is_refused():
    public = json.dumps(KEY.as_dict(private=False))
    shared = OctKey.import_key(public.encode())
    by_secret = jwt.encode({"alg": "HS256", "kid": KEY.kid}, claims(), shared, algorithms=["HS256"])
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims())]
    unsigned = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."
    for token in (by_secret, unsigned):
        with pytest.raises(TokenInvalidError):
            verify(token)


def test_a_token_with_any_part_altered_is_refused():
    token = signed()
    for place in range(0, len(token), 9):
        altered = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        if altered.rpartition(".")[2][:-1] == token.rpartition(".")[2][:-1]:
            continue  # the last character of a signature has bits that mean nothing
        with pytest.raises(TokenInvalidError):
            verify(altered)


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: data.decode("latin-1")))
def test_arbitrary_text_is_no_token(text):
    with pytest.raises(TokenInvalidError):
        verify(text)


@given(st.none() | st.text(max_size=30) | st.binary(max_size=30))
def test_an_authorization_header_is_none_a_token_or_refused(value):
    try:
        token = bearer(value)
    except TokenInvalidError:
        return
    assert (token == "") == (value is None) or token == "" or "Bearer" in str(value)


def test_where_no_provider_is_set_nobody_gets_in():
    with pytest.raises(TokenInvalidError, match=r"people\.issuer"):
        People(None, None, At()).verify(signed())


def test_the_development_login_makes_the_same_tokens_and_production_neither_makes_nor_takes_them(tmp_path):
    development = Settings(state_dir=tmp_path)
    token = development_token(development, "dev", ["officer", "auditor"], NOW, ["crossing:north"])
    person = open_people(development, At()).verify(token)
    assert person.actor == Actor(DEVELOPMENT_ISSUER, "dev")
    assert (person.roles, person.scopes) == ({Role.OFFICER, Role.AUDITOR}, {"crossing:north"})
    production = development.model_copy(update={"mode": "production"})
    with pytest.raises(DevelopmentLoginError, match="production has no development login"):
        development_token(production, "dev", ["officer"], NOW)
    with pytest.raises(TokenInvalidError):
        open_people(production, At()).verify(token)


def test_production_does_not_start_with_the_development_login_as_its_provider(monkeypatch):
    monkeypatch.setenv("BORDERPOST_MODE", "production")
    monkeypatch.setenv("BORDERPOST_PEOPLE__ISSUER", DEVELOPMENT_ISSUER)
    with pytest.raises(SettingsError, match="vouches for nobody"):
        load_settings()


@pytest.mark.parametrize(
    ("roles", "subject"), [(["kiosk"], "dev"), (["king"], "dev"), ([], "dev"), (["officer"], "")]
)
def test_the_development_login_makes_no_machine_and_nobody_without_a_role_or_name(tmp_path, roles, subject):
    with pytest.raises(DevelopmentLoginError, match="want some of: "):
        development_token(Settings(state_dir=tmp_path), subject, roles, NOW)


def test_its_key_is_for_its_owner_alone_and_its_public_part_holds_no_secret(tmp_path):
    jwks = make_login(tmp_path)
    assert (tmp_path / "people-dev.key").stat().st_mode & 0o077 == 0
    assert "d" not in json.loads(jwks.read_text("utf-8"))["keys"][0]


def test_keys_in_a_file_are_read_again_when_it_was_changed_and_a_spoiled_file_leaves_those_that_were_read(
    tmp_path,
):
    file, later = tmp_path / "keys.json", made()
    file.write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}), "utf-8")
    people = People(TERMS, FileKeys(file), At())
    with pytest.raises(TokenInvalidError):
        people.verify(signed(later))
    file.write_text(json.dumps({"keys": [later.as_dict(private=False)]}) + " ", "utf-8")
    assert people.verify(signed(later)).roles
    file.write_text("half writ", "utf-8")
    assert people.verify(signed(later)).roles


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": [{"kty": "EC"}]}', "PRIVATE"])
def test_a_file_that_holds_no_public_keys_is_refused(tmp_path, content):
    file = tmp_path / "keys.json"
    if content == "PRIVATE":
        content = json.dumps({"keys": [KEY.as_dict(private=True)]})
    file.write_text(content, "utf-8")
    with pytest.raises(ProviderKeysError):
        FileKeys(file)


class Provider:
    """An identity provider that publishes keys; `away`: it can't be reached."""

    def __init__(self, *keys):
        self.keys = keys
        self.away = False
        self.fetched = 0
        self.issuer = ISSUER
        self.answers = threading.Event()
        self.answers.set()

    def fetch(self, url):
        self.answers.wait(10)
        if self.away:
            raise OSError("away")
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return json.dumps({"issuer": self.issuer, "jwks_uri": f"{ISSUER}/keys"}).encode()
        assert url == f"{ISSUER}/keys"
        self.fetched += 1
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()


def test_published_keys_are_fetched_once_and_anew_for_a_key_that_nobody_knows_but_not_for_everybody():
    provider, clock, later = Provider(KEY), [0.0], made()
    people = People(TERMS, DiscoveredKeys(ISSUER, provider.fetch, lambda: clock[0]), At())
    assert people.verify(signed()).roles
    for _ in range(5):
        with pytest.raises(TokenInvalidError):
            people.verify(signed(later))
    assert provider.fetched == 1
    provider.keys = (KEY, later)
    clock[0] += AGAIN_SECONDS + 1
    assert people.verify(signed(later)).roles
    provider.away = True
    clock[0] += 10_000
    assert people.verify(signed(later)).roles  # what was fetched serves on


def test_whose_key_is_known_never_waits_for_the_provider():
    provider, clock = Provider(KEY), [0.0]
    keys = DiscoveredKeys(ISSUER, provider.fetch, lambda: clock[0])
    people = People(TERMS, keys, At())
    assert people.verify(signed()).roles
    provider.answers.clear()  # the next fetch hangs
    clock[0] += REFRESH_SECONDS + 1
    assert people.verify(signed()).roles
    stranger = threading.Thread(target=keys.current, args=("of a stranger",))
    stranger.start()
    assert people.verify(signed()).roles
    assert provider.fetched == 1
    provider.answers.set()
    stranger.join(10)
    assert not stranger.is_alive()


@pytest.mark.parametrize("error", [OSError("away"), IncompleteRead(b""), BadStatusLine("?")], ids=str)
def test_a_provider_that_does_not_answer_as_it_should_lets_nobody_in_and_breaks_nothing(error):
    def fetch(url):
        raise error

    with pytest.raises(TokenInvalidError):
        People(TERMS, DiscoveredKeys(ISSUER, fetch), At()).verify(signed())


def test_keys_of_a_kind_that_is_not_known_here_are_passed_over(tmp_path):
    file = tmp_path / "keys.json"
    strange = [{"kty": "EC", "crv": "P-1024", "x": "AA", "y": "AA"}, {"kty": "ML-DSA", "pub": "AA"}]
    file.write_text(json.dumps({"keys": [*strange, KEY.as_dict(private=False)]}), "utf-8")
    assert People(TERMS, FileKeys(file), At()).verify(signed()).roles


class _Redirecting(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/keys")
        self.end_headers()

    def log_message(self, *arguments):
        pass


def test_keys_are_fetched_from_nowhere_without_tls_though_the_provider_sends_us_there():
    server = HTTPServer(("127.0.0.1", 0), _Redirecting)
    threading.Thread(target=server.handle_request, daemon=True).start()
    with pytest.raises(OSError, match="without TLS"):
        fetch(f"http://127.0.0.1:{server.server_port}/")
    server.server_close()


def test_the_keys_of_another_provider_are_not_taken():
    provider = Provider(KEY)
    provider.issuer = "https://evil.example"
    with pytest.raises(TokenInvalidError):
        People(TERMS, DiscoveredKeys(ISSUER, provider.fetch), At()).verify(signed())
