"""Screen travelers from a kiosk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc

from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.clock import Clock, SystemClock, new_id, to_timestamp
from borderpost.runtime.settings import Settings
from borderpost.runtime.status import from_rpc_error
from borderpost.v1 import gateway_pb2, gateway_pb2_grpc, types_pb2

SCREENING_SECONDS: Final = 15.0
"""How long a kiosk waits by default: the gateway's own longest time, and the way there and back."""


@dataclass(slots=True)
class Visit:
    """The attempts of one traveler."""

    direction: types_pb2.Direction.ValueType = types_pb2.DIRECTION_ENTRY
    visit_id: str = field(default_factory=new_id)
    attempts: int = 0


class Kiosk:
    """A kiosk, by its certificate. Safe to use from several threads.

    >>> with Kiosk(load_settings(), "kiosk/north/1") as kiosk:
    ...     request = kiosk.request(Visit(), page, [frame])
    ...     answer = kiosk.send(request)
    """

    def __init__(self, settings: Settings, identity: str, clock: Clock | None = None) -> None:
        """Open a channel to the gateway. Raises CertificateError."""
        self._clock = clock or SystemClock()
        self._channel = open_sync_channel(settings, "gateway", identity)
        self._stub = gateway_pb2_grpc.GatewayServiceStub(self._channel)

    def request(
        self, visit: Visit, page: bytes, frames: Sequence[bytes]
    ) -> gateway_pb2.ScreenTravelerRequest:
        """Make the request of the visit's next attempt. Keep it until it is answered: it may be sent again."""
        visit.attempts += 1
        return gateway_pb2.ScreenTravelerRequest(
            request_id=new_id(),
            visit_id=visit.visit_id,
            attempt=visit.attempts,
            direction=visit.direction,
            kiosk_time=to_timestamp(self._clock.now()),
            document_page=page,
            live_frames=frames,
        )

    def send(
        self, request: gateway_pb2.ScreenTravelerRequest, seconds: float = SCREENING_SECONDS
    ) -> gateway_pb2.ScreenTravelerResponse:
        """Send a request; the same one again gets the same answer.

        Raises RemoteError. On UNAVAILABLE and DEADLINE_EXCEEDED send the same request again, or the traveler
        to an officer.
        """
        try:
            return self._stub.ScreenTraveler(request, timeout=seconds)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def __enter__(self) -> Kiosk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
