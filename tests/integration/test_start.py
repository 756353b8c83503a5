"""How a service starts and ends, as a process: wrong settings, missing certificates, a taken port, SIGTERM."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from borderpost.cli.stack import environment, private_settings
from borderpost.runtime.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return private_settings(tmp_path / "state", Settings())


def _start(settings: Settings, changes: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "borderpost.gateway"],
        env={**environment(settings), **(changes or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _refusal(process: subprocess.Popen[str]) -> str:
    """Return the one plain sentence with which a service that can't start ends, with status 2."""
    printed, told = process.communicate(timeout=20)
    assert process.returncode == 2, told
    assert printed == ""
    assert "Traceback" not in told
    assert told.startswith("borderpost gateway can't start: ")
    return told


def test_a_wrong_setting_stops_a_service_at_start_with_what_was_got_and_what_was_wanted(
    settings: Settings,
) -> None:
    told = _refusal(_start(settings, {"BORDERPOST_GATEWAY__SCREENING_SECONDS": "900"}))
    assert "BORDERPOST_GATEWAY__SCREENING_SECONDS" in told
    assert "got '900'" in told
    assert "less than or equal to 60" in told


def test_in_production_a_service_without_certificates_does_not_start_and_makes_none(
    settings: Settings,
) -> None:
    told = _refusal(_start(settings, {"BORDERPOST_MODE": "production"}))
    assert "gateway.key" in told
    assert not settings.certificates.exists()


def test_a_port_that_another_program_has_is_told_plainly(settings: Settings) -> None:
    host, port = settings.gateway.address.split(":")
    with socket.create_server((host, int(port))):
        told = _refusal(_start(settings))
    assert f"can't listen on {settings.gateway.address}" in told
    assert "BORDERPOST_GATEWAY__ADDRESS" in told


def test_a_service_ends_well_when_it_is_told_to_even_while_the_others_are_away(
    settings: Settings,
) -> None:
    process = _start(settings)
    assert process.stderr is not None
    assert '"started"' in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 0
    assert '"stopped"' in told.splitlines()[-1]
