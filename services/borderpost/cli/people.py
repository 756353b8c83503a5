"""What people do through the gateway: lists, approvals, trust, audit; each as the identity that has the role."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, TypeVar

import grpc

from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.context import purpose_metadata
from borderpost.runtime.dev_login import development_token
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.people import token_metadata
from borderpost.runtime.settings import Settings
from borderpost.runtime.status import from_rpc_error
from borderpost.v1 import (
    authority_pb2_grpc,
    cases_pb2_grpc,
    decisions_pb2_grpc,
    gateway_pb2_grpc,
    subjects_pb2_grpc,
    transparency_pb2_grpc,
    trust_pb2_grpc,
    watchlist_pb2_grpc,
)

LIST_MANAGER: Final = "list-manager/dev"
APPROVER: Final = "approver/dev-second"
OFFICER: Final = "officer/dev"
SECOND_OFFICER: Final = "officer/dev-second"
SUPERVISOR: Final = "supervisor/dev-third"
AUDITOR: Final = "auditor/dev"
ADMINISTRATOR: Final = "administrator/dev"
"""People of the development login: their role and their name."""

CONSOLE: Final = "console"
"""The machine that people sit at."""

SECONDS: Final = 60.0
LONG_SECONDS: Final = 600.0
"""For what works on a whole list."""

Answer = TypeVar("Answer")


class NoTokenError(BorderpostError):
    """Nobody is logged in."""

    reason = "NO_TOKEN"


def token_of(settings: Settings, identity: str, scopes: Sequence[str] = ()) -> str:
    """Return the token of the person who uses the command: from the file that settings name, or a development login's
    for "ROLE/NAME". Raises NoTokenError, DevelopmentLoginError."""
    if settings.people.token is not None:
        try:
            return settings.people.token.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise NoTokenError(
                f"people.token: {settings.people.token} can't be read: want the file with your token"
            ) from None
    role, slash, name = identity.partition("/")
    if not slash:
        raise NoTokenError(f"got {identity!r}, want ROLE/NAME, such as {OFFICER}")
    return development_token(settings, name, [role], SystemClock().now(), scopes)


class Person:
    """A person at the gateway, by their token, with a stated purpose; the machine they sit at is the console."""

    def __init__(
        self, settings: Settings, identity: str, purpose: str = "", scopes: Sequence[str] = ()
    ) -> None:
        """Log in, and open a channel to the gateway. `identity`: "ROLE/NAME" of the development login.

        Raises CertificateError, NoTokenError, DevelopmentLoginError.
        """
        token = token_of(settings, identity, scopes)
        self._channel = open_sync_channel(settings, "gateway", CONSOLE)
        self._metadata = (*purpose_metadata(purpose), *token_metadata(token))
        self.authority = authority_pb2_grpc.AuthorityServiceStub(self._channel)
        self.gateway = gateway_pb2_grpc.GatewayServiceStub(self._channel)
        self.watchlist = watchlist_pb2_grpc.WatchlistServiceStub(self._channel)
        self.decisions = decisions_pb2_grpc.DecisionsServiceStub(self._channel)
        self.trust = trust_pb2_grpc.TrustServiceStub(self._channel)
        self.cases = cases_pb2_grpc.CasesServiceStub(self._channel)
        self.subjects = subjects_pb2_grpc.SubjectsServiceStub(self._channel)
        self.transparency = transparency_pb2_grpc.TransparencyServiceStub(self._channel)

    def ask(self, method: Callable[..., Answer], request: Any, seconds: float = SECONDS) -> Answer:
        """Call a method of one of the stubs, which may take `seconds`. Raises RemoteError."""
        try:
            return method(request, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None

    def stream(
        self, method: Callable[..., Iterator[Answer]], request: Any, seconds: float
    ) -> Iterator[Answer]:
        """Call a method that answers in a stream, which may take `seconds`. Raises RemoteError, also while it is
        read."""
        try:
            yield from method(request, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None

    def pages(self, method: Callable[..., Answer], request: Any) -> Iterator[Answer]:
        """Call a method that answers in pages until the last one."""
        while True:
            answer: Any = self.ask(method, request)
            yield answer
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def __enter__(self) -> Person:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
