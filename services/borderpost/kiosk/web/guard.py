"""Who may speak to the agent, and what its page may do: nothing but what its own files on this machine do."""

from __future__ import annotations

from typing import Final

from starlette.middleware import Middleware

from borderpost.runtime.web_guard import Guard

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
    )
)

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
}


def guarded(port: int) -> Middleware:
    """The guard of an agent at this port."""
    origins = (f"http://127.0.0.1:{port}", f"http://localhost:{port}")
    return Middleware(Guard, origins=origins, headers=HEADERS)
