"""The authority on the wire: checks, translates, hands to the use cases."""

from __future__ import annotations

from typing import Any, Final

from borderpost.authority.app import Authorities
from borderpost.authority.domain import Machine, Reason
from borderpost.runtime.calls import current
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.identity import is_name_part
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import authority_pb2 as pb
from borderpost.v1.authority_pb2_grpc import AuthorityServiceServicer, EnrolmentServiceServicer

MAX_SECRET: Final = 100


class AuthorityServicer(AuthorityServiceServicer):
    """See authority.proto."""

    def __init__(self, app: Authorities, enrol_address: str, pool: WorkPool) -> None:
        self._app = app
        self._enrol_address = enrol_address
        self._pool = pool

    async def InviteKiosk(self, request: pb.InviteKioskRequest, context: Any) -> pb.InviteKioskResponse:
        """Invite a kiosk."""
        kiosk = _kiosk(request.kiosk)
        secret, expires_at = await self._pool.run(self._app.invite, kiosk, current())
        return pb.InviteKioskResponse(
            secret=secret,
            expires_at=to_timestamp(expires_at),
            address=self._enrol_address,
            authorities=self._app.authorities(),
        )

    async def ListMachines(self, request: pb.ListMachinesRequest, context: Any) -> pb.ListMachinesResponse:
        """List machines."""
        machines = await self._pool.run(self._app.machines)
        return pb.ListMachinesResponse(machines=map(_machine, machines))

    async def RevokeMachine(self, request: pb.RevokeMachineRequest, context: Any) -> pb.RevokeMachineResponse:
        """Revoke a machine."""
        if request.reason not in set(Reason):
            raise InvalidRequestError(f"reason: want one of: {', '.join(Reason)}", field="reason")
        machine = _name("machine", request.machine)
        found = await self._pool.run(self._app.revoke, machine, Reason(request.reason), current())
        return pb.RevokeMachineResponse(machine=_machine(found))

    async def RenewCertificate(
        self, request: pb.RenewCertificateRequest, context: Any
    ) -> pb.RenewCertificateResponse:
        """Renew the caller's certificate."""
        certified = await self._pool.run(self._app.renew, current().peer, request.request)
        return pb.RenewCertificateResponse(
            certificate=certified.certificate, authorities=certified.authorities
        )

    async def GetRevocations(
        self, request: pb.GetRevocationsRequest, context: Any
    ) -> pb.GetRevocationsResponse:
        """Give out the revocation list."""
        return pb.GetRevocationsResponse(revocations=await self._pool.run(self._app.revocations))


class EnrolmentServicer(EnrolmentServiceServicer):
    """See authority.proto."""

    def __init__(self, app: Authorities, pool: WorkPool) -> None:
        self._app = app
        self._pool = pool

    async def EnrolKiosk(self, request: pb.EnrolKioskRequest, context: Any) -> pb.EnrolKioskResponse:
        """Give a kiosk its first certificate."""
        kiosk = _kiosk(request.kiosk)
        if not 1 <= len(request.secret) <= MAX_SECRET:
            raise InvalidRequestError(f"secret: want 1 to {MAX_SECRET} characters", field="secret")
        certified = await self._pool.run(self._app.enrol, kiosk, request.secret, request.request)
        return pb.EnrolKioskResponse(certificate=certified.certificate, authorities=certified.authorities)


def _kiosk(name: str) -> str:
    parts = _name("kiosk", name).split("/")
    if len(parts) != 3 or parts[0] != "kiosk":
        raise InvalidRequestError("kiosk: want kiosk/CROSSING/ID", field="kiosk")
    return name


def _name(field: str, name: str) -> str:
    parts = name.split("/")
    if not 1 <= len(parts) <= 3 or not all(map(is_name_part, parts)):
        raise InvalidRequestError(f"{field}: want a machine's name, such as kiosk/north/7", field=field)
    return name


def _machine(machine: Machine) -> pb.Machine:
    message = pb.Machine(name=machine.name, state=machine.state, since=to_timestamp(machine.since))
    if machine.not_after is not None:
        message.serial = f"{machine.serial:x}"
        message.not_after.CopyFrom(to_timestamp(machine.not_after))
    return message
