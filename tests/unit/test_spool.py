"""The spool: what is in it can't be read by the kiosk, survives every moment, and never grows past its bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borderpost.kiosk import spool as spool_module
from borderpost.kiosk.spool import Spool, SpoolError
from borderpost.runtime.clock import new_id
from borderpost.runtime.settings import Settings
from borderpost.runtime.spooling import UnreadableError, is_signed_by, key_id_of, open_capture, seal_capture
from borderpost.runtime.tls import ensure_development_certificates
from borderpost.v1 import gateway_pb2

KIOSK = "kiosk/north/1"
CANARY = b"CANARY-PICTURE"


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    made = Settings(state_dir=tmp_path_factory.mktemp("spool"))
    ensure_development_certificates(made)
    return made


@pytest.fixture
def private():
    return X25519PrivateKey.generate()


@pytest.fixture
def spool(tmp_path, certified, private):
    made = Spool(tmp_path / "spool", certified, KIOSK, most_captures=3, most_bytes=20_000)
    made.use_key(_key(private))
    return made


def _key(private):
    public = private.public_key().public_bytes_raw()
    return gateway_pb2.GetSpoolKeyResponse(key_id=key_id_of(public), public_key=public)


def _request(page=CANARY):
    return gateway_pb2.ScreenTravelerRequest(request_id=new_id(), document_page=page)


def _again(spool, certified):
    return Spool(spool._folder, certified, KIOSK)


def test_what_is_kept_is_there_after_a_restart_signed_and_for_the_gateway_alone(spool, certified, private):
    request = _request()
    assert spool.keep(request)
    [kept] = _again(spool, certified).waiting()
    submitted = kept.request()
    certificate = x509.load_der_x509_certificate(submitted.certificate)
    assert is_signed_by(certificate, submitted.sealed, submitted.signature)
    assert open_capture(private, KIOSK, submitted.sealed).request == request
    with pytest.raises(UnreadableError):
        open_capture(X25519PrivateKey.generate(), KIOSK, submitted.sealed)


def test_no_picture_lies_in_clear_on_the_kiosk_and_nobody_else_may_read_its_files(spool):
    spool.keep(_request())
    files = list(spool._folder.iterdir())
    assert len(files) == 2
    for file in files:
        assert CANARY not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0


def test_a_full_spool_takes_nothing_more_and_loses_nothing(spool):
    assert [spool.keep(_request()) for _ in range(5)] == [True, True, True, False, False]
    assert len(spool.waiting()) == 3


def test_a_capture_that_is_larger_than_what_is_left_is_not_kept(spool):
    assert not spool.keep(_request(bytes(30_000)))
    assert spool.keep(_request(bytes(10_000)))
    assert not spool.keep(_request(bytes(10_000)))


def test_the_oldest_is_submitted_first(spool):
    requests = [_request() for _ in range(3)]
    for request in requests:
        spool.keep(request)
    assert [kept.path.stem for kept in spool.waiting()] == [request.request_id for request in requests]


def test_a_damaged_file_is_an_error_that_names_it(spool):
    spool.keep(_request())
    [kept] = spool.waiting()
    kept.path.write_bytes(b"\xff\xff")
    with pytest.raises(SpoolError, match="can't be read"):
        kept.request()


def test_a_damaged_or_foreign_key_file_keeps_nothing_and_breaks_nothing(spool):
    (spool._folder / spool_module.KEY_FILE).write_bytes(b"\xff\xff\xff")
    assert not spool.keep(_request())


class PowerOff(BaseException):
    """The machine stops here."""


@pytest.mark.parametrize("at", ["fsync", "rename", "sync_folder"])
def test_at_whatever_moment_the_power_goes_a_capture_is_whole_or_not_there(
    spool, certified, private, monkeypatch, at
):
    def stop(*_):
        raise PowerOff

    request = _request()
    target = {
        "fsync": (os, "fsync"),
        "rename": (Path, "rename"),
        "sync_folder": (spool_module, "_sync_folder"),
    }
    with monkeypatch.context() as patched:
        patched.setattr(*target[at], stop)
        with pytest.raises(PowerOff):
            spool.keep(request)
    again = _again(spool, certified)
    assert not list(spool._folder.glob("*.part"))
    for kept in again.waiting():
        assert open_capture(private, KIOSK, kept.request().sealed).request == request


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_arbitrary_bytes_are_never_opened_as_a_capture(private, data):
    with pytest.raises(UnreadableError):
        open_capture(private, KIOSK, data)


def test_a_capture_for_another_kiosk_is_not_opened(private):
    public = private.public_key().public_bytes_raw()
    capture = gateway_pb2.SpooledCapture(schema_version=1, request=_request(), kiosk_id="kiosk/south/1")
    with pytest.raises(UnreadableError):
        open_capture(private, KIOSK, seal_capture(public, capture))
