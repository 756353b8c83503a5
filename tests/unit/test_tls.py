"""Development certificates: made once, kept private, renewed in time; and what is refused."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from borderpost.runtime import tls
from borderpost.runtime.settings import SERVICES, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state")


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _certificate(settings: Settings, identity: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(tls.load_credentials(settings, identity).certificate)


def test_the_folder_and_every_key_are_for_their_owner_only(settings: Settings) -> None:
    tls.ensure_development_certificates(settings)
    folder = settings.certificates
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    keys = list(folder.glob("*.key"))
    assert len(keys) == len(tls.DEV_IDENTITIES) + 1
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_a_second_call_changes_nothing(settings: Settings) -> None:
    tls.ensure_development_certificates(settings)
    before = _content(settings.certificates)
    tls.ensure_development_certificates(settings)
    assert _content(settings.certificates) == before


def test_a_certificate_names_its_identity_once_and_only_a_service_may_be_a_server(settings: Settings) -> None:
    for identity in tls.DEV_IDENTITIES:
        extensions = _certificate(settings, identity).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        assert uris == [f"spiffe://borderpost.local/{identity}"]
        usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert (ExtendedKeyUsageOID.SERVER_AUTH in usage) == (identity in SERVICES)
        dns = names.get_values_for_type(x509.DNSName)
        assert dns == ([f"{identity}.borderpost.local", "localhost"] if identity in SERVICES else [])


def test_a_certificate_that_runs_out_is_renewed_by_the_same_authority(settings: Settings) -> None:
    tls.ensure_development_certificates(settings, tls.RENEW_BEFORE - timedelta(hours=1))
    before = _content(settings.certificates)
    tls.ensure_development_certificates(settings)
    after = _content(settings.certificates)
    assert after["ca.pem"] == before["ca.pem"]
    assert after["gateway.pem"] != before["gateway.pem"]
    ends = x509.load_pem_x509_certificate(after["gateway.pem"]).not_valid_after_utc
    assert ends > x509.load_pem_x509_certificate(before["gateway.pem"]).not_valid_after_utc


def test_when_the_authority_runs_out_everything_is_made_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "DEV_CA_LIFE", tls.RENEW_BEFORE - timedelta(hours=1))
    tls.ensure_development_certificates(settings)
    old = (settings.certificates / "ca.pem").read_bytes()
    monkeypatch.undo()
    credentials = tls.load_credentials(settings, "kiosk/north/1")
    assert credentials.ca != old
    ca = x509.load_pem_x509_certificate(credentials.ca)
    x509.load_pem_x509_certificate(credentials.certificate).verify_directly_issued_by(ca)


def test_a_certificate_whose_key_was_replaced_is_made_anew(settings: Settings) -> None:
    tls.ensure_development_certificates(settings)
    other = (settings.certificates / "faces.key").read_bytes()
    (settings.certificates / "gateway.key").write_bytes(other)
    credentials = tls.load_credentials(settings, "gateway")
    assert credentials.key != other


def test_certificates_of_another_trust_domain_are_made_anew(settings: Settings) -> None:
    tls.ensure_development_certificates(settings)
    moved = settings.model_copy(update={"trust_domain": "post.example"})
    names = _certificate(moved, "faces").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://post.example/faces"]


def test_processes_that_start_at_the_same_moment_get_one_authority(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from borderpost.runtime.settings import Settings; "
        "from borderpost.runtime.tls import load_credentials; "
        "c = load_credentials(Settings(state_dir=Path(sys.argv[1])), 'gateway'); "
        "sys.stdout.buffer.write(c.ca + c.certificate)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "state")]
    first, second = (subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2))
    seen = first.communicate(timeout=30)[0], second.communicate(timeout=30)[0]
    assert seen[0] == seen[1]
    assert seen[0].count(b"BEGIN CERTIFICATE") == 2


def test_production_makes_nothing_and_says_what_is_missing(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state", mode="production")
    with pytest.raises(tls.CertificateError, match=r"gateway\.key"):
        tls.load_credentials(settings, "gateway")
    assert not (tmp_path / "state").exists()


def test_a_client_makes_no_authority_and_is_told_who_does(settings: Settings) -> None:
    with pytest.raises(tls.CertificateError, match="borderpost up"):
        tls.load_credentials(settings, "kiosk/north/1")
    assert not settings.certificates.exists()


def test_an_unknown_identity_is_told_the_known_ones(settings: Settings) -> None:
    tls.ensure_development_certificates(settings)
    with pytest.raises(tls.CertificateError, match="kiosk/north/1"):
        tls.load_credentials(settings, "kiosk/nowhere/9")


def test_production_refuses_a_key_that_is_not_the_certificates(settings: Settings) -> None:
    tls.ensure_development_certificates(settings)
    (settings.certificates / "gateway.key").write_bytes((settings.certificates / "faces.key").read_bytes())
    with pytest.raises(tls.CertificateError, match="another key"):
        tls.load_credentials(settings.model_copy(update={"mode": "production"}), "gateway")


def test_production_refuses_a_certificate_that_has_run_out(settings: Settings) -> None:
    tls.ensure_development_certificates(settings, timedelta(minutes=-1))
    with pytest.raises(tls.CertificateError, match="run out"):
        tls.load_credentials(settings.model_copy(update={"mode": "production"}), "gateway")


@pytest.mark.parametrize("file", ["gateway.pem", "gateway.key", "ca.pem"])
@pytest.mark.parametrize("mode", ["development", "production"])
def test_a_file_that_is_no_pem_is_refused_plainly(settings: Settings, file: str, mode: str) -> None:
    tls.ensure_development_certificates(settings)
    (settings.certificates / file).write_bytes(b"not a certificate")
    with pytest.raises(tls.CertificateError, match=r"can't be read|no certificate"):
        tls.load_credentials(settings.model_copy(update={"mode": mode}), "gateway")


def test_a_folder_that_cant_be_made_is_refused_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(tls.CertificateError, match="BORDERPOST_STATE_DIR"):
        tls.load_credentials(Settings(state_dir=tmp_path / "file" / "state"), "gateway")
