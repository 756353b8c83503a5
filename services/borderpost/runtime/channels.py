"""Channels to a service: mutual TLS, its name insisted on, quick to come back after it was away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import grpc

from borderpost.runtime import tracing
from borderpost.runtime.retries import BUFFER_BYTES, service_config
from borderpost.runtime.settings import ServiceName, Settings
from borderpost.runtime.tls import dns_name, load_credentials

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""Two pictures of the largest size allowed, and room for more frames of a usual size."""

Options = Sequence[tuple[str, Any]]

COMMON_OPTIONS: Final[Options] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

RECONNECT_MS: Final = 500
"""Within this time a service that was restarted is found again; gRPC's default is up to two minutes."""

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


def open_channel(settings: Settings, service: ServiceName, identity: str) -> grpc.aio.Channel:
    """Open a channel to `service`, as `identity`. Connects when it is first used. Raises CertificateError."""
    credentials, options = _client(settings, service, identity)
    return grpc.aio.secure_channel(
        settings.service(service).address, credentials, options, interceptors=tracing.client_interceptors()
    )


def open_sync_channel(settings: Settings, service: ServiceName, identity: str) -> grpc.Channel:
    """Open a channel for code without an event loop."""
    credentials, options = _client(settings, service, identity)
    return grpc.secure_channel(settings.service(service).address, credentials, options)


def _client(
    settings: Settings, service: ServiceName, identity: str
) -> tuple[grpc.ChannelCredentials, Options]:
    own = load_credentials(settings, identity)
    credentials = grpc.ssl_channel_credentials(own.ca, own.key, own.certificate)
    return credentials, (*_CLIENT_OPTIONS, ("grpc.ssl_target_name_override", dns_name(settings, service)))
