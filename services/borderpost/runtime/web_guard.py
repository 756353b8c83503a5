"""What every request to a web page of ours must be, checked before anything else; and the headers of every answer.

A page of another site, opened in the same browser, must be able to do nothing here: no name is served but our own
(DNS rebinding), and nothing is changed but from our own pages (CSRF).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE: Final = ("GET", "HEAD")

COMMON_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses what isn't from our own pages, and sets the headers of all answers."""

    def __init__(
        self, app: ASGIApp, origins: Iterable[str], headers: Mapping[str, str], links: bool = False
    ) -> None:
        """`origins`: where browsers reach us, as "https://host" or "http://host:port". `headers`: set on every answer
        beside COMMON_HEADERS. `links`: whether somebody may come here by a link on another site's page."""
        self._app = app
        self._origins = {origin.partition("://")[2]: origin for origin in origins}
        self._headers = {**COMMON_HEADERS, **headers}
        self._links = links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(scope["method"], Headers(scope=scope))
        app = PlainTextResponse(refused, 403) if refused else self._app
        await app(scope, receive, with_headers)

    def _refused(self, method: str, headers: Headers) -> str:
        host = headers.getlist("host")
        if len(host) != 1 or host[0] not in self._origins:
            return f"Host: got another name, want {' or '.join(self._origins)}"
        if not self._from_here(method, headers):
            return "Sec-Fetch-Site: got another site, want this page"
        if method not in SAFE and headers.get("origin") != self._origins[host[0]]:
            return "Origin: got another or none, want this page"
        return ""

    def _from_here(self, method: str, headers: Headers) -> bool:
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return True
        followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return self._links and followed and method in SAFE
