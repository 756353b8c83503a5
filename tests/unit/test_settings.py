"""Settings: defaults, file, environment, and what a wrong one says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from borderpost.cli.stack import private_settings
from borderpost.runtime.settings import (
    ENV_PREFIX,
    SERVICES,
    SettingsError,
    describe_settings,
    load_settings,
)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith(ENV_PREFIX):
            monkeypatch.delenv(variable)


def _refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.message


def test_without_any_setting_the_services_are_on_six_ports_of_this_machine() -> None:
    settings = load_settings()
    addresses = [settings.service(name).address for name in SERVICES]
    assert len(set(addresses)) == len(SERVICES) == 6
    assert all(address.startswith("127.0.0.1:") for address in addresses)
    assert settings.mode == "development"


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "borderpost.toml"
    file.write_text('log_level = "error"\n[gateway]\nqueue = 7\nthreads = 3\n')
    monkeypatch.setenv("BORDERPOST_CONFIG", str(file))
    monkeypatch.setenv("BORDERPOST_GATEWAY__QUEUE", "9")
    settings = load_settings()
    assert (settings.gateway.queue, settings.gateway.threads) == (9, 3)
    assert settings.log_level == "error"
    assert settings.gateway.address == "127.0.0.1:7400"


def test_certificates_are_beside_the_state_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORDERPOST_STATE_DIR", "/srv/state")
    assert load_settings().certificates == Path("/srv/state/tls")
    monkeypatch.setenv("BORDERPOST_TLS_DIR", "/srv/tls")
    assert load_settings().certificates == Path("/srv/tls")


def test_the_watchlists_keys_are_apart_from_its_database_and_its_bundles_beside_the_certificates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BORDERPOST_STATE_DIR", "/srv/state")
    settings = load_settings()
    assert settings.watchlist_keys == Path("/srv/state/keys/watchlist")
    assert settings.bundle_identity == Path("/srv/state/tls/watchlist-age.key")
    assert settings.bundle_key == Path("/srv/state/tls/watchlist-bundle.key")
    for name in ("key_dir", "bundle_identity", "bundle_key"):
        monkeypatch.setenv(f"BORDERPOST_WATCHLIST__{name.upper()}", f"/srv/{name}")
    settings = load_settings()
    assert (settings.watchlist_keys, settings.bundle_identity, settings.bundle_key) == (
        Path("/srv/key_dir"),
        Path("/srv/bundle_identity"),
        Path("/srv/bundle_key"),
    )


def test_keys_in_the_database_of_the_entries_are_refused_without_repeating_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("DATABASE", "KEY_DATABASE"):
        monkeypatch.setenv(f"BORDERPOST_WATCHLIST__{name}", "postgresql://somebody:secret@db/lists")
    message = _refusal()
    assert "another database" in message
    assert "secret" not in message


def test_a_trial_beside_an_installation_has_none_of_its_databases_and_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATABASE", "KEY_DIR", "PARTNERS", "BUNDLE_IDENTITY", "BUNDLE_KEY"):
        monkeypatch.setenv(f"BORDERPOST_WATCHLIST__{name}", "/srv/real")
    monkeypatch.setenv("BORDERPOST_WATCHLIST__KEY_DATABASE", "/srv/keys")
    monkeypatch.setenv("BORDERPOST_DECISIONS__KEY_DIR", "/srv/keys")
    trial = private_settings(tmp_path, load_settings())
    assert "/srv" not in trial.model_dump_json()
    assert trial.watchlist_keys.is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("BORDERPOST_WATCHLIST__FAST_SCAN_FROM", "-1", "greater than or equal to 0"),
        ("BORDERPOST_WATCHLIST__KEY_DATABASE", "", "at least 1 character"),
        ("BORDERPOST_GATEWAY__SCREENING_SECONDS", "900", "less than or equal to 60"),
        ("BORDERPOST_GATEWAY__QUEUE", "many", "integer"),
        ("BORDERPOST_FACES__THREADS", "0", "greater than or equal to 1"),
        ("BORDERPOST_MODE", "staging", "'development' or 'production'"),
        ("BORDERPOST_GATEWAY__ADDRESS", "nowhere", "host:port, such as"),
        ("BORDERPOST_GATEWAY__LISTEN", "0.0.0.0:0", "a port from 1 to 65535"),
        ("BORDERPOST_DECISIONS__ADDRESS", "127.0.0.1:99999", "a port from 1 to 65535"),
        ("BORDERPOST_TRUST_DOMAIN", "Border Post", "match pattern"),
    ],
)
def test_a_wrong_value_is_refused_with_its_variable_what_was_got_and_what_was_wanted(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, wanted: str
) -> None:
    monkeypatch.setenv(variable, value)
    message = _refusal()
    assert variable in message
    assert repr(value) in message
    assert wanted in message


def test_every_wrong_value_is_named_not_only_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORDERPOST_MODE", "staging")
    monkeypatch.setenv("BORDERPOST_GATEWAY__QUEUE", "many")
    message = _refusal()
    assert "BORDERPOST_MODE" in message
    assert "BORDERPOST_GATEWAY__QUEUE" in message


@pytest.mark.parametrize("variable", ["BORDERPOST_LOGLEVEL", "BORDERPOST_GATEWAY__LISTN", "BORDERPOST_KIOSK"])
def test_a_misspelt_variable_is_refused_not_ignored(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    assert variable in _refusal()


def test_a_whole_section_in_one_variable_that_is_no_json_is_refused_plainly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BORDERPOST_GATEWAY", "127.0.0.1:7400")
    message = _refusal()
    assert "BORDERPOST_GATEWAY " in message
    assert "BORDERPOST_GATEWAY__ADDRESS" in message


@pytest.mark.parametrize("content", ["log_level = ", "[gateway]\nlistn = 1\n", 'log_level = "loud"\n'])
def test_a_wrong_file_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    file = tmp_path / "borderpost.toml"
    file.write_text(content)
    monkeypatch.setenv("BORDERPOST_CONFIG", str(file))
    assert str(file) in _refusal()


def test_a_missing_file_is_refused_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORDERPOST_CONFIG", str(tmp_path / "nothing.toml"))
    assert "nothing.toml" in _refusal()


def test_every_setting_says_what_it_means() -> None:
    described = list(describe_settings())
    assert [path for path, _, meaning in described if not meaning] == []
    assert "gateway.screening_seconds" in [path for path, _, _ in described]


def test_settings_cant_be_changed_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().log_level = "debug"
