"""`borderpost kiosk`: how a kiosk gets its certificate, renews it, and loses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import grpc
import typer

from borderpost.cli import show
from borderpost.cli.options import Json, Purpose, write_private
from borderpost.cli.people import ADMINISTRATOR, Person
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.following import new_request
from borderpost.runtime.settings import load_settings
from borderpost.runtime.status import from_rpc_error
from borderpost.runtime.tls import dns_name, write_identity
from borderpost.v1 import authority_pb2, authority_pb2_grpc

SECONDS: Final = 15.0

Who = Annotated[str, typer.Option("--as", help="Who you are: ROLE/NAME of the development login.")]


class InvitationFileError(BorderpostError):
    """A file is no invitation."""

    reason = "INVITATION_FILE"


def invite(
    kiosk: Annotated[str, typer.Argument(help="Name of the kiosk: kiosk/CROSSING/ID.")],
    to: Annotated[Path, typer.Option(dir_okay=False, help="Write the invitation into this file.")],
    purpose: Purpose = "",
    who: Who = ADMINISTRATOR,
    as_json: Json = False,
) -> None:
    """Invite a kiosk, as the administrator: make a file with a secret that gets it its first certificate, once.

    Example: `borderpost kiosk invite kiosk/north/7 --to north-7.invitation`
    """
    settings = load_settings()
    with Person(settings, who, purpose) as administrator:
        request = authority_pb2.InviteKioskRequest(kiosk=kiosk)
        answer = administrator.ask(administrator.authority.InviteKiosk, request)
    invitation = {
        "kiosk": kiosk,
        "secret": answer.secret,
        "address": answer.address,
        "trust_domain": settings.trust_domain,
        "authorities": answer.authorities.decode(),
    }
    write_private(to, json.dumps(invitation, indent=1).encode())
    expires = show.when(answer.expires_at)
    show.emit(
        as_json,
        {"file": str(to), "kiosk": kiosk, "expires_at": expires},
        lambda: (
            f"{to}: carry it to {kiosk} by hand, before {expires} UTC. It holds once; keep it from everybody else."
        ),
    )


def enrol(
    invitation: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The file that `invite` made.")
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, help="Folder for key and certificates. Default: tls_dir of the settings."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """On the kiosk: make a key, and get the certificate that the invitation is for. The key never leaves the kiosk.

    Example: `borderpost kiosk enrol north-7.invitation`
    """
    settings = load_settings()
    told = _read(invitation)
    key, request = new_request()
    credentials = grpc.ssl_channel_credentials(told["authorities"].encode())
    name = dns_name(settings.model_copy(update={"trust_domain": told["trust_domain"]}), "authority")
    options = (("grpc.ssl_target_name_override", name), ("grpc.enable_http_proxy", 0))
    with grpc.secure_channel(told["address"], credentials, options) as channel:
        stub = authority_pb2_grpc.EnrolmentServiceStub(channel)
        wanted = authority_pb2.EnrolKioskRequest(kiosk=told["kiosk"], secret=told["secret"], request=request)
        answer = _ask(stub.EnrolKiosk, wanted)
    folder = to or settings.certificates
    write_identity(folder, told["kiosk"], key, answer.certificate, answer.authorities)
    show.emit(
        as_json,
        {"kiosk": told["kiosk"], "folder": str(folder)},
        lambda: (
            f"{told['kiosk']} has its certificate in {folder}. The invitation is used up: delete {invitation}."
        ),
    )


def renew(
    kiosk: Annotated[str, typer.Option("--as", help="The kiosk's identity.")] = "kiosk/north/1",
    as_json: Json = False,
) -> None:
    """On the kiosk: get another certificate, with the one that still holds. Run it every few hours.

    Example: `borderpost kiosk renew --as kiosk/north/7`
    """
    settings = load_settings()
    key, request = new_request()
    with open_sync_channel(settings, "authority", kiosk) as channel:
        stub = authority_pb2_grpc.AuthorityServiceStub(channel)
        answer = _ask(stub.RenewCertificate, authority_pb2.RenewCertificateRequest(request=request))
    write_identity(settings.certificates, kiosk, key, answer.certificate, answer.authorities)
    show.emit(
        as_json,
        {"kiosk": kiosk, "folder": str(settings.certificates)},
        lambda: f"{kiosk} has another certificate; programs that run take it by themselves.",
    )


def list_machines(who: Who = ADMINISTRATOR, as_json: Json = False) -> None:
    """List kiosks that were invited or enrolled, and machines that were revoked.

    Example: `borderpost kiosk list`
    """
    with Person(load_settings(), who) as administrator:
        answer = administrator.ask(administrator.authority.ListMachines, authority_pb2.ListMachinesRequest())
    rows = show.table("machine", "state", "since", "certificate until", "serial")
    for machine in answer.machines:
        until = show.when(machine.not_after) if machine.HasField("not_after") else ""
        rows.add_row(
            machine.name, machine.state.lower(), show.when(machine.since), until, machine.serial[:16]
        )
    show.emit(as_json, answer, lambda: rows if answer.machines else "None was invited yet.")


def revoke(
    machine: Annotated[str, typer.Argument(help="Name of the machine, such as kiosk/north/7.")],
    reason: Annotated[str, typer.Option(help="key-compromise, lost, retired or other.")],
    purpose: Purpose = "",
    who: Who = ADMINISTRATOR,
    as_json: Json = False,
) -> None:
    """Revoke a machine with all its certificates, as the administrator. Its name is not used again.

    Example: `borderpost kiosk revoke kiosk/north/7 --reason lost`
    """
    with Person(load_settings(), who, purpose) as administrator:
        request = authority_pb2.RevokeMachineRequest(machine=machine, reason=reason.upper().replace("-", "_"))
        answer = administrator.ask(administrator.authority.RevokeMachine, request)
    show.emit(as_json, answer, lambda: f"{machine} is revoked: it is refused from its next call on.")


def _read(file: Path) -> dict[str, str]:
    try:
        told = json.loads(file.read_text("utf-8"))
        wanted = ("kiosk", "secret", "address", "trust_domain", "authorities")
        return {name: _text(told[name]) for name in wanted}
    except (ValueError, KeyError, TypeError):
        raise InvitationFileError(
            f"{file}: want an invitation as `borderpost kiosk invite` writes it"
        ) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _ask(method: Callable[..., Any], request: Any) -> Any:
    try:
        return method(request, timeout=SECONDS)
    except grpc.RpcError as error:
        raise from_rpc_error(error) from None
