"""What every request to the agent must be, and what every answer says: checked before anything else.

A page of another site, opened on the same machine, must be able to do nothing here: no name that leads to 127.0.0.1
is served but our own (DNS rebinding), and nothing is changed but by our own page (CSRF).
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
}


class Guard:
    """Refuses what isn't from this page on this machine, and sets the headers of all answers."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        """`port`: where the agent listens."""
        self._app = app
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = self._refused(scope["method"], Headers(scope=scope))
        app = PlainTextResponse(refused, 403) if refused else self._app
        await app(scope, receive, with_headers)

    def _refused(self, method: str, headers: Headers) -> str:
        host = headers.getlist("host")
        if len(host) != 1 or host[0] not in self._hosts:
            return "Host: got another name, want 127.0.0.1 with the agent's port"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return "Sec-Fetch-Site: got another site, want this page"
        if method not in ("GET", "HEAD") and headers.get("origin") != f"http://{host[0]}":
            return "Origin: got another or none, want this page"
        return ""
