"""Kept captures: opened only if they are this kiosk's own, whole, for this gateway, and recent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from borderpost.gateway.late import (
    LateCaptures,
    SpoolKeyMissingError,
    SpoolSignatureError,
    SpoolTooNewError,
    SpoolTooOldError,
    SpoolUnreadableError,
)
from borderpost.gateway.spool_keys import SpoolKeyError, SpoolKeys
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.settings import Settings
from borderpost.runtime.spooling import key_id_of, seal_capture, sign
from borderpost.runtime.tls import ensure_development_certificates, load_authorities
from borderpost.v1 import gateway_pb2

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
DOMAIN = Settings().trust_domain
KIOSK = Actor(DOMAIN, "kiosk/north/1")
OTHER = Actor(DOMAIN, "kiosk/south/1")


class Kiosk:
    """A kiosk with its development certificate."""

    def __init__(self, settings, name):
        folder = settings.certificates
        pem = (folder / f"{name.replace('/', '-')}.pem").read_bytes()
        key = (folder / f"{name.replace('/', '-')}.key").read_bytes()
        self.certificate = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
        self.key = serialization.load_pem_private_key(key, None)
        self.name = name

    def keep(self, public_key, captured_at=NOW, **changes):
        request = gateway_pb2.ScreenTravelerRequest(
            request_id=new_id(), kiosk_time=to_timestamp(captured_at), document_page=b"page"
        )
        fields = {"schema_version": 1, "request": request, "kiosk_id": self.name} | changes
        sealed = seal_capture(public_key, gateway_pb2.SpooledCapture(**fields))
        return gateway_pb2.SubmitSpooledRequest(
            key_id=key_id_of(public_key),
            sealed=sealed,
            signature=sign(self.key, sealed),
            certificate=self.certificate,
        )


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    settings = Settings(state_dir=tmp_path_factory.mktemp("late"))
    ensure_development_certificates(settings)
    return settings


@pytest.fixture
def late(settings, tmp_path):
    keys = SpoolKeys(tmp_path / "spool.key", make=True)
    return LateCaptures(keys, lambda: load_authorities(settings), DOMAIN, lambda: DAY)


@pytest.fixture
def kiosk(settings):
    return Kiosk(settings, KIOSK.subject)


def test_what_a_kiosk_kept_is_opened_as_it_was_captured(late, kiosk):
    answer = late.key()
    assert (answer.key_id, answer.most_age_seconds) == (key_id_of(answer.public_key), 86_400)
    opened = late.open(kiosk.keep(answer.public_key), KIOSK, NOW + timedelta(hours=3))
    assert opened.document_page == b"page"


def test_a_capture_to_a_former_key_is_opened_as_long_as_that_key_is_in_the_file(late, kiosk, tmp_path):
    kept = kiosk.keep(late.key().public_key)
    new = X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "spool.key"
    former = file.read_bytes()
    file.write_bytes(former + new)
    assert late.key().key_id != kept.key_id
    assert late.open(kept, KIOSK, NOW).document_page == b"page"
    file.write_bytes(new)
    with pytest.raises(SpoolKeyMissingError, match="no key of"):
        late.open(kept, KIOSK, NOW)


def test_any_altered_byte_is_refused(late, kiosk):
    kept = kiosk.keep(late.key().public_key)
    for place in range(0, len(kept.sealed), 7):
        altered = bytearray(kept.sealed)
        altered[place] ^= 1
        forged = gateway_pb2.SubmitSpooledRequest(
            key_id=kept.key_id, sealed=bytes(altered), signature=kept.signature, certificate=kept.certificate
        )
        with pytest.raises(SpoolSignatureError):
            late.open(forged, KIOSK, NOW)
        forged.signature = sign(kiosk.key, forged.sealed)  # even if the kiosk itself did it
        with pytest.raises(SpoolUnreadableError):
            late.open(forged, KIOSK, NOW)


def test_another_kiosk_can_submit_neither_a_stolen_spool_nor_sign_one_in_this_ones_name(
    late, kiosk, settings
):
    other, public_key = Kiosk(settings, OTHER.subject), late.key().public_key
    with pytest.raises(SpoolSignatureError, match="another machine"):
        late.open(kiosk.keep(public_key), OTHER, NOW)
    resigned = kiosk.keep(public_key)
    resigned.certificate, resigned.signature = other.certificate, sign(other.key, resigned.sealed)
    with pytest.raises(SpoolUnreadableError):
        late.open(resigned, OTHER, NOW)
    with pytest.raises(SpoolUnreadableError):
        late.open(kiosk.keep(public_key, kiosk_id=OTHER.subject), KIOSK, NOW)


def test_a_certificate_of_no_trusted_authority_or_no_certificate_at_all_is_refused(late, kiosk):
    kept = kiosk.keep(late.key().public_key)
    stranger = replace(late, authorities=list)
    with pytest.raises(SpoolSignatureError, match="no trusted authority"):
        stranger.open(kept, KIOSK, NOW)
    kept.certificate = b"\x30\x03no"
    with pytest.raises(SpoolSignatureError, match="no certificate of a kiosk"):
        late.open(kept, KIOSK, NOW)


@pytest.mark.parametrize(
    ("captured_at", "refusal"),
    [(NOW - 2 * DAY, SpoolTooOldError), (NOW + timedelta(hours=1), SpoolTooNewError)],
    ids=["old", "future"],
)
def test_what_is_too_old_is_refused_and_what_is_from_the_future_has_to_wait(
    late, kiosk, captured_at, refusal
):
    with pytest.raises(refusal):
        late.open(kiosk.keep(late.key().public_key, captured_at), KIOSK, NOW)


def test_a_capture_from_before_its_certificate_was_issued_is_refused(late, kiosk):
    patient = replace(late, most_age=lambda: timedelta(days=3650))
    with pytest.raises(SpoolSignatureError, match="did not hold"):
        patient.open(kiosk.keep(late.key().public_key, NOW - timedelta(days=400)), KIOSK, NOW)


def test_a_capture_of_another_version_is_refused(late, kiosk):
    with pytest.raises(SpoolUnreadableError):
        late.open(kiosk.keep(late.key().public_key, schema_version=2), KIOSK, NOW)


def test_keys_are_never_made_in_production_and_other_kinds_are_refused(tmp_path):
    with pytest.raises(SpoolKeyError, match="production makes none"):
        SpoolKeys(tmp_path / "none", make=False)
    for number, content in enumerate((b"", b"rubbish", _other_kind())):
        file = tmp_path / str(number)
        file.write_bytes(content)
        with pytest.raises(SpoolKeyError, match="want X25519 keys"):
            SpoolKeys(file, make=False)


def test_a_file_that_is_spoiled_while_the_gateway_runs_leaves_the_keys_that_were_read(tmp_path):
    keys = SpoolKeys(tmp_path / "key", make=True)
    before = keys.current()
    (tmp_path / "key").write_bytes(b"half writ")
    assert keys.current() == before


def _other_kind():
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
