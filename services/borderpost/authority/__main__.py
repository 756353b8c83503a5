"""Composition root of the authority."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from borderpost.authority.adapters.sql_registry import SqlRegistry
from borderpost.authority.app import Authorities, Terms
from borderpost.authority.servicer import AuthorityServicer, EnrolmentServicer
from borderpost.runtime.calls import Actor, Role
from borderpost.runtime.channels import open_channel
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.event_log import GrpcLog
from borderpost.runtime.interceptors import ChainInterceptor
from borderpost.runtime.issuing import Authority
from borderpost.runtime.outbox import Outbox
from borderpost.runtime.people import People
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.reporting import Report
from borderpost.runtime.server import AddressError, Service, serve
from borderpost.runtime.settings import SERVICES, ServiceName, Settings
from borderpost.runtime.tls import CertificateError, file_name, server_credentials, write_file
from borderpost.v1 import authority_pb2_grpc

NAME: Final[ServiceName] = "authority"

LIST_LIFE: Final = timedelta(days=1)
PUBLISH_SECONDS: Final = 600.0
"""How often the revocation list is made anew, so that it never gets old; what is revoked is in it at once."""

TRIES_AT_ONCE: Final = 4
"""Enrolments at the same time: they are rare, and the port is open to whoever reaches it."""

MAX_MESSAGE: Final = 16 * 1024


async def build(settings: Settings, pool: WorkPool) -> Service:
    """Build the authority."""
    registry = SqlRegistry(settings.state_dir / "authority.sqlite")
    app = _authorities(settings, registry)
    servicer = AuthorityServicer(app, settings.authority.enrol_address, pool)
    log = GrpcLog(open_channel(settings, "decisions", NAME))
    outbox = Outbox(registry.database, log.deliver)

    def register(server: grpc.aio.Server) -> None:
        authority_pb2_grpc.add_AuthorityServiceServicer_to_server(servicer, server)

    async def ready() -> bool:
        await asyncio.to_thread(registry.machines, 1)
        return True

    async def publish() -> None:
        while True:
            await asyncio.to_thread(app.publish)
            await asyncio.sleep(PUBLISH_SECONDS)

    async def enrol() -> None:
        await _serve_enrolment(settings, app, pool)

    names = ("borderpost.v1.AuthorityService",)
    tasks = (outbox.run, publish, enrol)
    return Service(names, register, ready, tasks, registry.close, Report(log.deliver))


def _authorities(settings: Settings, registry: SqlRegistry) -> Authorities:
    folder, own = settings.certificates, settings.authority
    terms = Terms(
        settings.trust_domain,
        SERVICES,
        timedelta(hours=own.certificate_hours),
        timedelta(hours=own.invitation_hours),
        LIST_LIFE,
    )
    return Authorities(
        _load_authority(settings),
        (folder / "ca.pem").read_bytes,
        registry,
        terms,
        lambda machine: _on_this_host(folder, machine),
        partial(write_file, settings.revocations_file),
        SystemClock(),
    )


def _load_authority(settings: Settings) -> Authority:
    """The newest authority in ca.pem that the key is of. Raises CertificateError."""
    key_file = settings.authority.key or settings.certificates / "ca.key"
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        trusted = x509.load_pem_x509_certificates((settings.certificates / "ca.pem").read_bytes())
    except OSError as error:
        raise CertificateError(
            f"{error.filename}: {error.strerror}: want the authority's key and certificate; an agency with an "
            "authority of its own leaves this service out"
        ) from None
    except (ValueError, TypeError):
        raise CertificateError(
            f"{key_file}: it or ca.pem can't be read: want PEM, the key without a password"
        ) from None
    own = [certificate for certificate in trusted if certificate.public_key() == key.public_key()]
    if not own or not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(
            f"{key_file}: got a key of another authority than those in ca.pem, or no ECDSA key"
        )
    return Authority(own[-1], key)


def _on_this_host(folder: Path, machine: str) -> Mapping[int, datetime]:
    """Development makes certificates in the folder by itself: that of a machine, if there is one."""
    with suppress(OSError, ValueError):
        certificate = x509.load_pem_x509_certificate((folder / f"{file_name(machine)}.pem").read_bytes())
        return {certificate.serial_number: certificate.not_valid_after_utc}
    return {}


async def _serve_enrolment(settings: Settings, app: Authorities, pool: WorkPool) -> None:
    """Serve the port for kiosks without a certificate, and nothing else on it, until the end."""
    newcomer = Actor(settings.trust_domain, "newcomer")
    nobody = People(None, None, SystemClock())
    chain = ChainInterceptor(
        settings.trust_domain,
        nobody,
        None,
        at_gateway=True,
        pool=pool,
        identify=lambda _: (newcomer, Role.NEWCOMER),
    )
    server = grpc.aio.server(
        interceptors=[chain],
        options=(("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MAX_MESSAGE)),
        maximum_concurrent_rpcs=TRIES_AT_ONCE,
    )
    authority_pb2_grpc.add_EnrolmentServiceServicer_to_server(EnrolmentServicer(app, pool), server)
    own = settings.authority
    address = own.enrol_listen or own.enrol_address
    try:
        server.add_secure_port(address, server_credentials(settings, NAME, clients=False))
    except RuntimeError:
        raise AddressError(
            f"authority.enrol_address: can't listen on {address}: another program has it"
        ) from None
    await server.start()
    try:
        await server.wait_for_termination()
    finally:
        await server.stop(1.0)


def main() -> None:
    """Run the authority."""
    serve(NAME, build)


if __name__ == "__main__":
    main()
