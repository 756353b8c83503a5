"""Channels to a service: mutual TLS, its name insisted on, quick to come back after it was away.

A channel takes a renewed certificate of its own by itself: what is called next goes over a new connection, what is
under way ends over the former one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar

import grpc

from borderpost.runtime import tracing
from borderpost.runtime.retries import BUFFER_BYTES, service_config
from borderpost.runtime.settings import ServiceName, Settings
from borderpost.runtime.tls import Credentials, dns_name, load_credentials, newest_change

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""Two pictures of the largest size allowed, and room for more frames of a usual size."""

Options = Sequence[tuple[str, Any]]

COMMON_OPTIONS: Final[Options] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

RECONNECT_MS: Final = 500
"""Within this time a service that was restarted is found again; gRPC's default is up to two minutes."""

LOOK_SECONDS: Final = 1.0
"""The files of the own certificate are looked at again after this time."""

_CLIENT_OPTIONS: Final[Options] = (
    *COMMON_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MS),
    ("grpc.service_config", service_config()),
    ("grpc.per_rpc_retry_buffer_size", BUFFER_BYTES),
    # A proxy that the environment names is for the web, not for the way between services.
    ("grpc.enable_http_proxy", 0),
    # A peer that vanished without a word is noticed.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)

AnyChannel = TypeVar("AnyChannel")


def open_channel(settings: Settings, service: ServiceName, identity: str) -> grpc.aio.Channel:
    """Open a channel to `service`, as `identity`. Connects when it is first used. Raises CertificateError."""
    connect = partial(grpc.aio.secure_channel, interceptors=tracing.client_interceptors())
    return _AsyncRotating(_Generations(settings, service, identity, connect))


def open_sync_channel(settings: Settings, service: ServiceName, identity: str) -> grpc.Channel:
    """Open a channel for code without an event loop."""
    return _SyncRotating(_Generations(settings, service, identity, grpc.secure_channel))


class _Generations(Generic[AnyChannel]):
    """One channel for each certificate that the own one was renewed by. Former ones are kept: calls end over them."""

    def __init__(
        self, settings: Settings, service: ServiceName, identity: str, connect: Callable[..., AnyChannel]
    ) -> None:
        self._settings = settings
        self._service = service
        self._identity = identity
        self._connect = connect
        self._lock = threading.Lock()
        self._looked_at = time.monotonic()
        self._changed_at = newest_change(settings, identity)
        self._own = load_credentials(settings, identity)
        self.all = [self._open(self._own)]

    def current(self) -> AnyChannel:
        """Return the channel with the newest certificate. A renewed one that can't be read leaves the one before."""
        with self._lock:
            if time.monotonic() - self._looked_at > LOOK_SECONDS:
                self._looked_at = time.monotonic()
                changed_at = newest_change(self._settings, self._identity)
                if changed_at != self._changed_at:
                    self._renew(changed_at)
            return self.all[-1]

    def _renew(self, changed_at: int) -> None:
        try:
            own = load_credentials(self._settings, self._identity)
        except Exception:  # half written: the next look finds it whole
            return
        self._changed_at = changed_at
        if own != self._own:
            self._own = own
            self.all.append(self._open(own))

    def _open(self, own: Credentials) -> AnyChannel:
        credentials = grpc.ssl_channel_credentials(own.ca, own.key, own.certificate)
        name = ("grpc.ssl_target_name_override", dns_name(self._settings, self._service))
        return self._connect(
            self._settings.service(self._service).address, credentials, (*_CLIENT_OPTIONS, name)
        )


class _Method:
    """A method of a channel that may be renewed: each call goes over the newest."""

    def __init__(self, generations: _Generations[Any], shape: str, arguments: Any, more: Any) -> None:
        self._generations = generations
        self._shape = shape
        self._arguments = arguments
        self._more = more
        self._of: tuple[Any, Any] = (None, None)

    def _newest(self) -> Any:
        channel = self._generations.current()
        known, method = self._of
        if known is not channel:
            method = getattr(channel, self._shape)(*self._arguments, **self._more)
            self._of = (channel, method)
        return method

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        return self._newest()(*arguments, **more)

    def with_call(self, *arguments: Any, **more: Any) -> Any:
        return self._newest().with_call(*arguments, **more)

    def future(self, *arguments: Any, **more: Any) -> Any:
        return self._newest().future(*arguments, **more)


class _Methods:
    """What both kinds of channel have in common."""

    def __init__(self, generations: _Generations[Any]) -> None:
        self._generations = generations

    def unary_unary(self, *arguments: Any, **more: Any) -> Any:
        return _Method(self._generations, "unary_unary", arguments, more)

    def unary_stream(self, *arguments: Any, **more: Any) -> Any:
        return _Method(self._generations, "unary_stream", arguments, more)

    def stream_unary(self, *arguments: Any, **more: Any) -> Any:
        return _Method(self._generations, "stream_unary", arguments, more)

    def stream_stream(self, *arguments: Any, **more: Any) -> Any:
        return _Method(self._generations, "stream_stream", arguments, more)


class _SyncRotating(_Methods, grpc.Channel):
    """A `grpc.Channel` whose own certificate may be renewed."""

    def subscribe(self, callback: Any, try_to_connect: bool | None = False) -> None:
        self._generations.current().subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Any) -> None:
        for channel in self._generations.all:
            channel.unsubscribe(callback)

    def close(self) -> None:
        for channel in self._generations.all:
            channel.close()

    def __enter__(self) -> _SyncRotating:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _AsyncRotating(_Methods, grpc.aio.Channel):
    """A `grpc.aio.Channel` whose own certificate may be renewed."""

    async def close(self, grace: float | None = None) -> None:
        for channel in self._generations.all:
            await channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        state: grpc.ChannelConnectivity = self._generations.current().get_state(try_to_connect)
        return state

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._generations.current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._generations.current().channel_ready()

    async def __aenter__(self) -> _AsyncRotating:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
