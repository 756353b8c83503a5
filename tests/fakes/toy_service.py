"""A service whose handlers do what the request tells them to, run by the real `serve()`: `toy_service.py faces`.

What the handler knows about its call goes back in the trailing metadata, as JSON under "call".
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import grpc

from borderpost.runtime import calls
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import Settings
from borderpost.v1 import faces_pb2, faces_pb2_grpc, gateway_pb2, gateway_pb2_grpc

Rpc = grpc.aio.ServicerContext[Any, Any]


def _tell(rpc: Rpc) -> None:
    call = calls.current()
    known = {
        "peer": call.peer.subject,
        "actor": call.actor.subject,
        "roles": sorted(call.roles),
        "scopes": sorted(call.scopes),
        "purpose": call.purpose,
        "request_id": call.request_id,
    }
    rpc.set_trailing_metadata((("call", json.dumps(known)),))


class ToyFaces(faces_pb2_grpc.FacesServiceServicer):
    """`probe.model_id` says what to do."""

    async def Compare(self, request: faces_pb2.CompareRequest, context: Rpc) -> faces_pb2.CompareResponse:  # noqa: N802
        match request.probe.model_id:
            case "explode":
                raise RuntimeError(request.probe.values.decode())
            case "refuse":
                raise InvalidRequestError("probe: got a refusal, want none", field="probe")
            case "wait":
                await asyncio.sleep(request.target_fmr)
        _tell(context)
        return faces_pb2.CompareResponse(threshold=0.5)


class ToyGateway(gateway_pb2_grpc.GatewayServiceServicer):
    """Answers."""

    async def EnrolEntry(  # noqa: N802
        self, request: gateway_pb2.EnrolEntryRequest, context: Rpc
    ) -> gateway_pb2.EnrolEntryResponse:
        _tell(context)
        return gateway_pb2.EnrolEntryResponse(entry=request.entry)


async def build(_settings: Settings, _pool: WorkPool) -> Service:
    """Build the service that the command line names."""

    def register(server: grpc.aio.Server) -> None:
        if sys.argv[1] == "gateway":
            gateway_pb2_grpc.add_GatewayServiceServicer_to_server(ToyGateway(), server)
        else:
            faces_pb2_grpc.add_FacesServiceServicer_to_server(ToyFaces(), server)

    async def ready() -> bool:
        return True

    return Service((f"borderpost.v1.{sys.argv[1].capitalize()}Service",), register, ready)


if __name__ == "__main__":
    serve("gateway" if sys.argv[1] == "gateway" else "faces", build)
