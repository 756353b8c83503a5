"""The authority: an invitation works once, for its kiosk, in time; what is revoked stays so."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from borderpost.authority.adapters.sql_registry import SqlRegistry
from borderpost.authority.app import Authorities, Terms, public_key_of
from borderpost.authority.domain import Reason, State
from borderpost.authority.errors import (
    CertificationRequestError,
    InvitationInvalidError,
    MachineNotFoundError,
    MachineRevokedError,
)
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.following import new_request
from borderpost.runtime.issuing import new_authority
from borderpost.v1.decisions_pb2 import Event

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
KIOSK = "kiosk/north/7"
DOMAIN = "borderpost.test"
ANNA = Actor("https://login.example", "anna")
CALL = Call(
    "", Actor(DOMAIN, "gateway"), Role.GATEWAY, ANNA, frozenset({Role.ADMINISTRATOR}), "new kiosk", "", ""
)
KEY = ec.generate_private_key(ec.SECP256R1())


class House:
    """An authority in a folder, on a clock of the test's own."""

    def __init__(self, folder: Path, known=None):
        self.time = NOW
        self.registry = SqlRegistry(folder / "authority.sqlite")
        self.authority = new_authority("Test CA", KEY, timedelta(days=365), NOW)
        self.published = []
        pem = self.authority.certificate.public_bytes(serialization.Encoding.PEM)
        terms = Terms(DOMAIN, ("faces",), timedelta(hours=24), timedelta(hours=24), timedelta(days=1))
        known = known or {}
        self.app = Authorities(
            self.authority,
            lambda: pem,
            self.registry,
            terms,
            lambda name: known.get(name, {}),
            self.published.append,
            self,
        )

    def now(self):
        return self.time

    def enrol(self, kiosk=KIOSK, secret=None):
        secret = secret or self.app.invite(kiosk, CALL)[0]
        return x509.load_pem_x509_certificate(self.app.enrol(kiosk, secret, new_request()[1]).certificate)

    def revoked(self):
        crl = x509.load_pem_x509_crl(self.app.revocations())
        assert crl.is_signature_valid(KEY.public_key())
        return {one.serial_number for one in crl}

    def events(self):
        with self.registry.database.read() as connection:
            rows = connection.execute("SELECT event FROM outbox ORDER BY sequence").fetchall()
        return [Event.FromString(row["event"]) for row in rows]

    def close(self):
        self.registry.close()


@pytest.fixture
def house(tmp_path):
    with closing(House(tmp_path)) as opened:
        yield opened


def test_an_invited_kiosk_gets_a_certificate_in_its_name_for_its_own_key_and_a_day(house):
    secret, expires_at = house.app.invite(KIOSK, CALL)
    key, request = new_request()
    certificate = x509.load_pem_x509_certificate(house.app.enrol(KIOSK, secret, request).certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [f"spiffe://{DOMAIN}/{KIOSK}"]
    assert certificate.public_key() == key.public_key()
    assert certificate.not_valid_after_utc == NOW + timedelta(hours=24)
    assert expires_at == NOW + timedelta(hours=24)
    certificate.verify_directly_issued_by(house.authority.certificate)


def test_what_a_request_says_of_names_counts_for_nothing(house):
    key = ec.generate_private_key(ec.SECP256R1())
    wanted = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{DOMAIN}/gateway")])
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")]))
        .add_extension(wanted, critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    secret, _ = house.app.invite(KIOSK, CALL)
    certificate = x509.load_pem_x509_certificate(house.app.enrol(KIOSK, secret, request).certificate)
    assert b"gateway" not in certificate.public_bytes(serialization.Encoding.DER)


def test_an_invitation_works_once(house):
    secret, _ = house.app.invite(KIOSK, CALL)
    house.enrol(secret=secret)
    with pytest.raises(InvitationInvalidError):
        house.enrol(secret=secret)


def test_a_later_invitation_makes_the_earlier_one_worthless(house):
    first, _ = house.app.invite(KIOSK, CALL)
    second, _ = house.app.invite(KIOSK, CALL)
    with pytest.raises(InvitationInvalidError):
        house.enrol(secret=first)
    assert house.enrol(secret=second)


def test_an_invitation_that_has_run_out_or_is_another_kiosks_is_refused_alike(house):
    secret, _ = house.app.invite(KIOSK, CALL)
    said = set()
    for kiosk, given in (("kiosk/north/8", secret), (KIOSK, "guessed")):
        with pytest.raises(InvitationInvalidError) as caught:
            house.app.enrol(kiosk, given, new_request()[1])
        said.add(caught.value.message)
    house.time += timedelta(hours=25)
    with pytest.raises(InvitationInvalidError) as caught:
        house.app.enrol(KIOSK, secret, new_request()[1])
    assert said == {caught.value.message}


def test_a_mistake_in_the_request_does_not_use_up_the_invitation(house):
    secret, _ = house.app.invite(KIOSK, CALL)
    with pytest.raises(CertificationRequestError):
        house.app.enrol(KIOSK, secret, b"rubbish")
    assert house.enrol(secret=secret)


def _request(key):
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return csr.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"\x30\x80",
        b"x" * 5000,
        _request(rsa.generate_private_key(65537, 2048)),
        _request(ec.generate_private_key(ec.SECP384R1())),
        new_request()[1][:-3] + b"abc",
    ],
    ids=["empty", "no request", "too long", "RSA", "another curve", "not signed by its key"],
)
def test_what_is_no_request_of_a_p256_key_is_refused(request_):
    with pytest.raises(CertificationRequestError):
        public_key_of(request_)


def test_a_machine_renews_in_its_own_name_and_a_service_as_a_server_too(house):
    renewed = house.app.renew(Actor(DOMAIN, "faces/2"), new_request()[1])
    certificate = x509.load_pem_x509_certificate(renewed.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://{DOMAIN}/faces/2"]
    assert f"faces.{DOMAIN}" in names.get_values_for_type(x509.DNSName)


def test_a_revoked_machine_loses_every_certificate_its_invitation_and_its_name(house):
    serials = {house.enrol().serial_number, house.enrol().serial_number}
    house.app.invite(KIOSK, CALL)
    other = house.enrol("kiosk/north/8").serial_number
    machine = house.app.revoke(KIOSK, Reason.LOST, CALL)
    assert (machine.state, house.revoked()) == (State.REVOKED, serials)
    assert other not in house.revoked()
    assert len(house.published) == 1
    for refused in (
        lambda: house.app.invite(KIOSK, CALL),
        lambda: house.app.renew(Actor(DOMAIN, KIOSK), new_request()[1]),
    ):
        with pytest.raises(MachineRevokedError):
            refused()


@pytest.mark.parametrize("way", ["enrol", "renew"])
def test_a_machine_that_is_revoked_while_it_is_certified_gets_nothing(house, monkeypatch, way):
    house.enrol()
    secret = house.app.invite(KIOSK, CALL)[0]
    before, issued = len(house.events()), house.registry.issued

    def revoked_just_before(*arguments):
        house.app.revoke(KIOSK, Reason.LOST, CALL)
        return issued(*arguments)

    monkeypatch.setattr(house.registry, "issued", revoked_just_before)
    first = (KIOSK, secret) if way == "enrol" else (Actor(DOMAIN, KIOSK),)
    with pytest.raises(MachineRevokedError):
        getattr(house.app, way)(*first, new_request()[1])
    assert [event.machine_changed.action for event in house.events()[before:]] == ["REVOKED"]


def test_revoking_again_changes_nothing_and_is_no_second_event(house):
    house.enrol()
    first = house.app.revoke(KIOSK, Reason.LOST, CALL)
    house.time += timedelta(hours=1)
    assert house.app.revoke(KIOSK, Reason.RETIRED, CALL) == first
    assert [event.machine_changed.action for event in house.events()].count("REVOKED") == 1


def test_what_nobody_knows_cannot_be_revoked_and_what_the_host_has_can(tmp_path):
    known = {"kiosk/north/1": {4711: NOW + timedelta(days=1)}}
    with closing(House(tmp_path, known)) as house:
        with pytest.raises(MachineNotFoundError):
            house.app.revoke("kiosk/north/9", Reason.LOST, CALL)
        house.app.revoke("kiosk/north/1", Reason.KEY_COMPROMISE, CALL)
        assert house.revoked() == {4711}


def test_what_has_run_out_leaves_the_list(house):
    house.enrol()
    house.app.revoke(KIOSK, Reason.LOST, CALL)
    house.time += timedelta(hours=25)
    assert house.revoked() == set()


def test_each_change_is_an_event_with_who_and_why_and_never_a_secret(house):
    secret, _ = house.app.invite(KIOSK, CALL)
    serial = house.enrol(secret=secret).serial_number
    house.app.renew(Actor(DOMAIN, KIOSK), new_request()[1])
    house.app.revoke(KIOSK, Reason.LOST, replace(CALL, purpose="stolen"))
    told = [(e.actor.subject, e.purpose, e.machine_changed.action) for e in house.events()]
    assert told == [
        ("anna", "new kiosk", "INVITED"),
        (KIOSK, "", "ENROLLED"),
        (KIOSK, "", "RENEWED"),
        ("anna", "stolen", "REVOKED"),
    ]
    assert house.events()[1].machine_changed.serial == f"{serial:x}"
    assert all(secret.encode() not in event.SerializeToString() for event in house.events())


def test_no_secret_lies_on_the_disk(house, tmp_path):
    secret, _ = house.app.invite(KIOSK, CALL)
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


class Invitations(RuleBasedStateMachine):
    """Whatever happens in whatever order: a secret works if it is its kiosk's newest, in time, unused, unrevoked."""

    kiosks = st.sampled_from(["kiosk/a/1", "kiosk/a/2"])

    @initialize()
    def begin(self):
        self.folder = TemporaryDirectory()
        self.house = House(Path(self.folder.name))
        self.made, self.holds, self.gone = [], {}, set()

    @rule(kiosk=kiosks)
    def invite(self, kiosk):
        try:
            secret, _ = self.house.app.invite(kiosk, CALL)
        except MachineRevokedError:
            assert kiosk in self.gone
            return
        assert kiosk not in self.gone
        self.made.append(secret)
        self.holds[kiosk] = (secret, self.house.time + timedelta(hours=24))

    @rule(kiosk=kiosks, which=st.integers(0, 20))
    def enrol(self, kiosk, which):
        secret = self.made[which % len(self.made)] if self.made else "guessed"
        newest, until = self.holds.get(kiosk, ("", NOW))
        right = secret == newest and self.house.time <= until and kiosk not in self.gone
        try:
            self.house.enrol(kiosk, secret)
        except InvitationInvalidError:
            assert not right
            return
        assert right
        del self.holds[kiosk]

    @rule(kiosk=kiosks)
    def revoke(self, kiosk):
        try:
            self.house.app.revoke(kiosk, Reason.OTHER, CALL)
        except MachineNotFoundError:
            return
        self.gone.add(kiosk)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours):
        self.house.time += timedelta(hours=hours)

    @invariant()
    def the_machines_are_told(self):
        if hasattr(self, "house"):
            revoked = {one.name for one in self.house.app.machines() if one.state is State.REVOKED}
            assert revoked == self.gone

    def teardown(self):
        if hasattr(self, "house"):
            self.house.close()
            self.folder.cleanup()


TestInvitations = Invitations.TestCase
TestInvitations.settings = hypothesis_settings(max_examples=15, stateful_step_count=15, deadline=None)
