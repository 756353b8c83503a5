"""The gateway, as the person of a session calls it: their token goes with every call, and their purpose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

from borderpost.console.sessions import Session
from borderpost.runtime.context import purpose_metadata
from borderpost.runtime.people import token_metadata
from borderpost.runtime.status import from_rpc_error
from borderpost.v1 import (
    authority_pb2_grpc,
    cases_pb2_grpc,
    decisions_pb2_grpc,
    faces_pb2_grpc,
    gateway_pb2_grpc,
    subjects_pb2_grpc,
    transparency_pb2_grpc,
    trust_pb2_grpc,
    watchlist_pb2_grpc,
)

SECONDS: Final = 20.0
LONG_SECONDS: Final = 600.0
"""For what works on a whole list or log."""


class Gateway:
    """The stubs of everything that the gateway passes on to people."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """`channel`: to the gateway, as the console."""
        made: Any = channel  # the stubs' types name one kind of channel
        self.authority: Any = authority_pb2_grpc.AuthorityServiceStub(made)
        self.cases: Any = cases_pb2_grpc.CasesServiceStub(made)
        self.decisions: Any = decisions_pb2_grpc.DecisionsServiceStub(made)
        self.faces: Any = faces_pb2_grpc.FacesServiceStub(made)
        self.gateway: Any = gateway_pb2_grpc.GatewayServiceStub(made)
        self.subjects: Any = subjects_pb2_grpc.SubjectsServiceStub(made)
        self.transparency: Any = transparency_pb2_grpc.TransparencyServiceStub(made)
        self.trust: Any = trust_pb2_grpc.TrustServiceStub(made)
        self.watchlist: Any = watchlist_pb2_grpc.WatchlistServiceStub(made)


async def ask(
    session: Session, method: Any, request: Any, purpose: str = "", seconds: float = SECONDS
) -> Any:
    """Call a method of one of the stubs, as the person of the session. Raises RemoteError."""
    try:
        return await method(request, timeout=seconds, metadata=_metadata(session, purpose))
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None


async def stream(
    session: Session, method: Any, request: Any, purpose: str, seconds: float = LONG_SECONDS
) -> AsyncIterator[Any]:
    """Call a method that answers in a stream. Raises RemoteError, also while it is read."""
    call = method(request, timeout=seconds, metadata=_metadata(session, purpose))
    try:
        async for answer in call:
            yield answer
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
    finally:
        call.cancel()


def _metadata(session: Session, purpose: str) -> tuple[tuple[str, str | bytes], ...]:
    return (*purpose_metadata(purpose), *token_metadata(session.token))
