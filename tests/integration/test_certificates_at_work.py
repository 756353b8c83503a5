"""Certificates that are renewed, run out or are revoked while connections are open: over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from borderpost.runtime import channels, following, revocations
from borderpost.runtime.channels import open_channel, open_sync_channel
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.interceptors import ChainInterceptor
from borderpost.runtime.issuing import Authority, issue, new_authority, revocation_list
from borderpost.runtime.people import People
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.revocations import Revocations
from borderpost.runtime.settings import Settings
from borderpost.runtime.status import from_rpc_error
from borderpost.runtime.tls import ensure_development_certificates, server_credentials
from fakes.authority import CountingAuthority

METHOD = "/borderpost.v1.GatewayService/GetSpoolKey"
KIOSK = "kiosk/north/1"
PEM = serialization.Encoding.PEM


class Site:
    """A gateway that answers with the peer's serial number, and the files of its certificates."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.certificates
        self.held = asyncio.Event()
        self.release = asyncio.Event()

    def authority(self) -> Authority:
        pem = (self.folder / "ca.pem").read_bytes()
        key = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), None)
        return Authority(x509.load_pem_x509_certificates(pem)[-1], key)

    def renew(self, name: str, authority: Authority | None = None, life=timedelta(hours=1)) -> int:
        key = ec.generate_private_key(ec.SECP256R1())
        dns = [f"{name}.{self.settings.trust_domain}"] if "/" not in name else ()
        uri = f"spiffe://{self.settings.trust_domain}/{name}"
        certificate = issue(
            authority or self.authority(), uri, key.public_key(), life, datetime.now(UTC), dns
        )
        file = self.folder / name.replace("/", "-")
        pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        _replace(file.with_suffix(".key"), key.private_bytes(PEM, pkcs8, plain))
        _replace(file.with_suffix(".pem"), certificate.public_bytes(PEM))
        return certificate.serial_number

    def serial(self, name: str) -> int:
        file = self.folder / f"{name.replace('/', '-')}.pem"
        return x509.load_pem_x509_certificate(file.read_bytes()).serial_number

    def revoke(self, *serials: int, authority: Authority | None = None) -> None:
        now = datetime.now(UTC)
        found = revocation_list(
            authority or self.authority(), dict.fromkeys(serials, now), now, timedelta(days=1)
        )
        _replace(self.settings.revocations_file, found.public_bytes(PEM))

    async def answer(self, request, context):
        if request == b"hold":
            self.held.set()
            await self.release.wait()
        [pem] = context.auth_context()["x509_pem_cert"]
        return str(x509.load_pem_x509_certificate(pem).serial_number).encode()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[Site]:
        pool = WorkPool(1, 8)
        nobody = People(None, None, SystemClock())
        chain = ChainInterceptor(
            self.settings.trust_domain,
            nobody,
            Revocations(self.settings.revocations_file, self.folder / "ca.pem"),
            at_gateway=True,
            pool=pool,
        )
        server = grpc.aio.server(interceptors=[chain])
        handler = SimpleNamespace(service=lambda _: grpc.unary_unary_rpc_method_handler(self.answer))
        server.add_generic_rpc_handlers((handler,))
        port = server.add_secure_port("127.0.0.1:0", server_credentials(self.settings, "gateway"))
        section = self.settings.gateway.model_copy(update={"address": f"127.0.0.1:{port}"})
        self.settings = self.settings.model_copy(update={"gateway": section})
        await server.start()
        yield self
        await server.stop(0)
        pool.close()


def _replace(path, content):
    part = path.with_suffix(".new")
    part.write_bytes(content)
    part.replace(path)


@pytest.fixture(autouse=True)
def looking_at_once(monkeypatch):
    monkeypatch.setattr(channels, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(revocations, "LOOK_SECONDS", 0.0)


@pytest.fixture
def site(tmp_path) -> Site:
    settings = Settings(state_dir=tmp_path)
    ensure_development_certificates(settings)
    return Site(settings.model_copy(update={"mode": "production"}))


async def ask(channel, request=b"") -> int:
    return int(await channel.unary_unary(METHOD)(request, timeout=10))


async def reason(channel) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(channel)
    return from_rpc_error(caught.value).reason


async def test_a_client_takes_its_renewed_certificate_and_a_call_that_is_under_way_ends(site):
    async with site.served(), open_channel(site.settings, "gateway", KIOSK) as channel:
        method = channel.unary_unary(METHOD)
        before = site.serial(KIOSK)
        under_way = asyncio.create_task(ask(channel, b"hold"))
        await site.held.wait()
        renewed = site.renew(KIOSK)
        assert int(await method(b"", timeout=10)) == renewed
        site.release.set()
        assert await under_way == before


async def test_a_client_without_an_event_loop_does_so_too(site):
    async with site.served():
        channel = open_sync_channel(site.settings, "gateway", KIOSK)
        method = channel.unary_unary(METHOD)
        assert int(await asyncio.to_thread(method, b"", timeout=10)) == site.serial(KIOSK)
        renewed = site.renew(KIOSK)
        assert int(await asyncio.to_thread(method, b"", timeout=10)) == renewed
        channel.close()


async def test_a_file_that_is_half_written_leaves_the_certificate_that_was_read(site):
    async with site.served(), open_channel(site.settings, "gateway", KIOSK) as channel:
        before = await ask(channel)
        _replace(site.folder / "kiosk-north-1.pem", b"-----BEGIN CERT")
        assert await ask(channel) == before


async def test_a_server_shows_its_renewed_certificate_and_takes_a_new_authority_beside_the_old_one(site):
    async with site.served(), open_channel(site.settings, "gateway", KIOSK) as former:
        assert await ask(former)
        # 1. Both authorities are trusted everywhere. 2. Certificates come from the new one. 3. The old one goes.
        key = ec.generate_private_key(ec.SECP256R1())
        new = new_authority("Another CA", key, timedelta(days=1), datetime.now(UTC))
        old_pem, new_pem = (site.folder / "ca.pem").read_bytes(), new.certificate.public_bytes(PEM)
        _replace(site.folder / "ca.pem", old_pem + new_pem)
        site.renew("gateway", new)
        renewed = site.renew(KIOSK, new)
        assert await ask(former) == renewed
        _replace(site.folder / "ca.pem", new_pem)
        async with open_channel(site.settings, "gateway", KIOSK) as fresh:
            assert await ask(fresh) == renewed


async def test_a_certificate_that_is_revoked_is_refused_at_the_next_call_of_an_open_connection(site):
    async with site.served(), open_channel(site.settings, "gateway", KIOSK) as channel:
        serial = await ask(channel)
        site.revoke(serial + 1)
        assert await ask(channel) == serial
        site.revoke(serial)
        assert await reason(channel) == "CERTIFICATE_REVOKED"
        site.renew(KIOSK)
        assert await ask(channel) != serial  # another certificate of the same machine isn't


async def test_a_certificate_that_runs_out_is_refused_on_an_open_connection(site):
    site.renew(KIOSK, life=timedelta(seconds=1))
    async with site.served(), open_channel(site.settings, "gateway", KIOSK) as channel:
        assert await ask(channel)
        await asyncio.sleep(1.2)
        assert await reason(channel) == "CERTIFICATE_EXPIRED"


@pytest.mark.parametrize(
    "spoiled", [b"", b"rubbish", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"]
)
async def test_a_list_that_cannot_be_read_leaves_the_one_that_was_read(site, spoiled):
    async with site.served(), open_channel(site.settings, "gateway", KIOSK) as channel:
        site.revoke(await ask(channel))
        assert await reason(channel) == "CERTIFICATE_REVOKED"
        _replace(site.settings.revocations_file, spoiled + b"-----BEGIN X509 CRL-----")
        assert await reason(channel) == "CERTIFICATE_REVOKED"


def _list_of(site, serial: int) -> bytes:
    now = datetime.now(UTC)
    return revocation_list(site.authority(), {serial: now}, now, timedelta(days=1)).public_bytes(PEM)


def _opened(site) -> Revocations:
    return Revocations(site.settings.revocations_file, site.folder / "ca.pem")


def test_a_list_that_was_fetched_holds_after_a_restart_without_the_authority(site):
    pem = (site.folder / "kiosk-north-1.pem").read_bytes()
    _opened(site).take(_list_of(site, site.serial(KIOSK)))
    with pytest.raises(revocations.CertificateRevokedError):
        _opened(site).check(pem)


def test_a_list_that_was_fetched_and_is_not_signed_is_not_kept(site):
    pem = (site.folder / "kiosk-north-1.pem").read_bytes()
    _opened(site).take(_list_of(site, site.serial(KIOSK)))
    _opened(site).take(b"-----BEGIN X509 CRL-----")
    with pytest.raises(revocations.CertificateRevokedError):
        _opened(site).check(pem)


def test_a_list_that_cannot_be_kept_holds_all_the_same(site, tmp_path):
    pem = (site.folder / "kiosk-north-1.pem").read_bytes()
    kept_nowhere = Revocations(tmp_path / "no folder" / "crl.pem", site.folder / "ca.pem")
    kept_nowhere.take(_list_of(site, site.serial(KIOSK)))
    with pytest.raises(revocations.CertificateRevokedError):
        kept_nowhere.check(pem)


async def test_a_renewal_that_cannot_be_written_is_not_asked_for_again_at_once(site, monkeypatch):
    monkeypatch.setattr(following, "RENEW_AT", 1.0)  # due from the first second on
    one = following.Following(site.settings, "faces", _opened(site))
    authority = one._authority = CountingAuthority(_list_of(site, 1))
    (site.folder / "ca.pem.part").mkdir()
    with pytest.raises(OSError, match=r"ca\.pem\.part"):
        await one._ask()
    await one._ask()
    assert authority.renewed == 1
    monkeypatch.setattr(one, "_renew_at", 0.0)
    with pytest.raises(OSError, match=r"ca\.pem\.part"):
        await one._ask()
    assert authority.renewed == 2


async def test_a_list_of_an_authority_that_is_not_trusted_revokes_nobody(site):
    async with site.served(), open_channel(site.settings, "gateway", KIOSK) as channel:
        stranger = new_authority(
            "Borderpost development CA",
            ec.generate_private_key(ec.SECP256R1()),
            timedelta(days=1),
            datetime.now(UTC),
        )
        site.revoke(await ask(channel), authority=stranger)
        assert await ask(channel)
