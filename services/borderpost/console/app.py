"""The console's HTTP: from a request to the page of the person who sent it, and what becomes of errors."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Any, Final

import grpc
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as HttpRoute

from borderpost.console import administration, audit, audit_log, cases, imports, lists, queue, reports, rights
from borderpost.console.login import Login
from borderpost.console.pages import HOMES, Console, Page, Route, StaleLoginError, around, refusal
from borderpost.console.provider import Provider
from borderpost.console.words import words
from borderpost.runtime.logging import place_of
from borderpost.runtime.settings import DEVELOPMENT_ISSUER
from borderpost.runtime.status import RemoteError
from borderpost.runtime.web_guard import Guard

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "trusted-types borderpost",
        "require-trusted-types-for 'script'",
    )
)

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers hide where a form was sent from, too
}
STRICT_TRANSPORT: Final = {"Strict-Transport-Security": "max-age=31536000"}

FILES: Final = {"console.css": "text/css", "console.js": "text/javascript", "mark.svg": "image/svg+xml"}
FILE_SECONDS: Final = 300

STATUSES: Final[Mapping[grpc.StatusCode, int]] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 503,
}
"""What a refusal of the gateway is in HTTP; any other is 500."""

ROUTES: Final[tuple[Route, ...]] = (
    *queue.ROUTES,
    *cases.ROUTES,
    *audit.ROUTES,
    *audit_log.ROUTES,
    *reports.ROUTES,
    *rights.ROUTES,
    *lists.ROUTES,
    *imports.ROUTES,
    *administration.ROUTES,
)

_log = structlog.get_logger(__name__)


def make_app(console: Console) -> Starlette:
    """Make the console's application."""
    issuer = console.settings.people.issuer
    at_provider = console.settings.mode == "production" or issuer not in (None, DEVELOPMENT_ISSUER)
    login = Login(console, Provider(console.settings) if at_provider else None)
    url = console.settings.console.url
    headers = HEADERS | (STRICT_TRANSPORT if url.startswith("https:") else {})
    pages = [*ROUTES, *login.own_routes(), Route("/", _begin), Route("/pictures/{name}", _picture)]
    return Starlette(
        routes=[
            *(
                HttpRoute(f"/static/{name}", _file(name, kind), methods=["GET"])
                for name, kind in FILES.items()
            ),
            *login.routes(),
            *(HttpRoute(page.path, _served(console, login, page), methods=[page.method]) for page in pages),
        ],
        middleware=[Middleware(Guard, origins=_origins(url), headers=headers, links=True)],
        exception_handlers={
            HTTPException: _wrong(console, login),
            ClientDisconnect: _gone,
        },
    )


def _origins(url: str) -> tuple[str, ...]:
    return (url, url.replace("//127.0.0.1:", "//localhost:")) if "//127.0.0.1:" in url else (url,)


def _served(console: Console, login: Login, route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def served(request: Request) -> Response:
        session = login.session_of(request, touch=not route.quiet)
        if session is None:
            return Response(status_code=401) if route.quiet else login.to_login(_again(request))
        await login.renewed(session)
        page = Page(console, request, session)
        try:
            return await route.handler(page)
        except StaleLoginError as stale:
            return login.to_login(stale.back, again=True)
        except RemoteError as error:
            return _refused(page, login, error, route)
        except (HTTPException, ClientDisconnect):
            raise
        except Exception as error:
            return _failed(page, route, error)
        finally:
            await request.close()  # files that were uploaded

    return served


def _again(request: Request) -> str:
    """The page to come back to after the login: what was asked for, if it is a page."""
    if request.method != "GET":
        return "/"
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _refused(page: Page, login: Login, error: RemoteError, route: Route) -> Response:
    """Say what a service refused, on a page of its own. Whose token doesn't hold any more logs in again; their session
    stays for that, with what they filled in."""
    if error.code is grpc.StatusCode.UNAUTHENTICATED:
        return Response(status_code=401) if route.quiet else login.to_login(_again(page.request), again=True)
    status = STATUSES.get(error.code, 500)
    _log.info("page_refused", page=route.path, reason=error.reason)
    if route.quiet:
        return Response(status_code=status)
    return page.show("error.html", status, status=status, **refusal(page.words, error))


def _failed(page: Page, route: Route, error: Exception) -> Response:
    """What nobody foresaw is told without a word about it; the log has its kind and place, and no data."""
    _log.error("page_failed", error=type(error).__name__, place=place_of(error))
    if route.quiet:
        return Response(status_code=500)
    return page.show("error.html", 500, status=500, what=page.words("error.http_500"), reason="")


async def _begin(page: Page) -> Response:
    """Send a person to where their work is."""
    for role, path in HOMES:
        if page.session.may(role):
            return page.go(path)
    return page.show("error.html", 403, status=403, what=page.words("error.no_role"), reason="NOT_PERMITTED")


async def _picture(page: Page) -> Response:
    """Give a picture to the page that it was got for, once: whoever wants it again opens the page again, which is
    recorded."""
    picture = page.session.take(page.request.path_params["name"], time.monotonic())
    if picture is None:
        raise HTTPException(404)
    return Response(picture, media_type="image/jpeg")


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = (resources.files("borderpost.console") / "static" / name).read_text("utf-8")

    async def handler(_: Request) -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": f"max-age={FILE_SECONDS}"})

    return handler


def _wrong(console: Console, login: Login) -> Any:
    async def handler(request: Request, error: HTTPException) -> Response:
        session = login.session_of(request, touch=False)
        spoken = words(session.language if session else login.language_of(request))
        known = f"error.http_{error.status_code}"
        what = spoken(known if spoken.has(known) else "error.http_400")
        if session is not None:
            page = Page(console, request, session)
            return page.show("error.html", error.status_code, status=error.status_code, what=what, reason="")
        body = console.templates.get_template("error_outside.html").render(
            **around(spoken, request, console.clock.now()), what=what
        )
        return HTMLResponse(body, error.status_code)

    return handler


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)
