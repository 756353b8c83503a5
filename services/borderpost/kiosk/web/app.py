"""The agent's HTTP: translates between the page and the desk. Nothing here is told to another machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from borderpost.kiosk.messages import CATALOGUES
from borderpost.kiosk.web.desk import Desk, NoVisitError
from borderpost.kiosk.web.guard import guarded

COOKIE: Final = "borderpost"
TOKEN_HEADER: Final = "X-Borderpost-Token"  # noqa: S105  a header's name

PICTURE_BYTES: Final = 12 * 1024 * 1024
JSON_BYTES: Final = 1024
BODY_SECONDS: Final = 20.0
"""How long the body of a request may take to come: it comes from the same machine."""

REFRESH_SECONDS: Final = "1"
SWEEP_SECONDS: Final = 5.0

MAGIC: Final = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}

FILES: Final = {
    "mark.svg": "image/svg+xml",
    "kiosk.css": "text/css",
    "kiosk.js": "text/javascript",
    "agent.js": "text/javascript",
    "camera.js": "text/javascript",
}

Handler = Callable[[Request], Awaitable[Response]]


def make_app(desk: Desk, port: int) -> Starlette:
    """Make the agent's application for a desk, to be served at 127.0.0.1 and `port`."""
    posts: dict[str, Callable[[Desk, Request], Awaitable[Response]]] = {
        "begin": _begin,
        "page": _page,
        "other": _other,
        "face": _face,
        "guide": _guide,
        "frame": _frame,
        "screen": _screen,
        "here": _here,
        "end": _end,
    }
    return Starlette(
        routes=[
            Route("/", _bind(desk, _index), methods=["GET"]),
            Route("/texts.json", _texts, methods=["GET"]),
            *(Route(f"/{name}", _file(name, kind), methods=["GET"]) for name, kind in FILES.items()),
            *(
                Route(f"/api/{name}", _bind(desk, _ours(handler)), methods=["POST"])
                for name, handler in posts.items()
            ),
        ],
        middleware=[guarded(port)],
        lifespan=lambda _: _background(desk),
        exception_handlers={NoVisitError: _no_visit, ClientDisconnect: _gone},
    )


def _bind(desk: Desk, handler: Callable[[Desk, Request], Awaitable[Response]]) -> Handler:
    async def bound(request: Request) -> Response:
        return await handler(desk, request)

    return bound


def _ours(
    handler: Callable[[Desk, Request], Awaitable[Response]],
) -> Callable[[Desk, Request], Awaitable[Response]]:
    """Only the session of the page that was opened last is served, one change at a time."""

    async def checked(desk: Desk, request: Request) -> Response:
        session, token = request.cookies.get(COOKIE, ""), request.headers.get(TOKEN_HEADER, "")
        if not (_same(session, desk.session) and _same(token, desk.token)):
            raise HTTPException(403, "session: got another or none, want that of the page opened last")
        if desk.busy:
            raise HTTPException(409, "a screening is running; wait for it")
        return await handler(desk, request)

    return checked


def _same(got: str, want: str) -> bool:
    return secrets.compare_digest(got.encode(), want.encode())


def _read(name: str) -> str:
    return (resources.files(__package__) / "page" / name).read_text("utf-8")


async def _index(desk: Desk, _: Request) -> Response:
    if desk.busy:  # nobody is left standing before an error: the browser asks again by itself
        return Response(status_code=503, headers={"Refresh": REFRESH_SECONDS}, media_type="text/html")
    desk.open()
    page = _read("index.html").replace("{token}", desk.token)
    page = page.replace("{files}", "yes" if desk.habits.files else "no")
    answer = Response(page, media_type="text/html")
    answer.set_cookie(COOKIE, desk.session, httponly=True, samesite="strict")
    return answer


async def _texts(_: Request) -> Response:
    return JSONResponse({language: dict(words) for language, words in CATALOGUES.items()})


def _file(name: str, kind: str) -> Handler:
    content = _read(name)

    async def handler(_: Request) -> Response:
        return Response(content, media_type=kind)

    return handler


async def _begin(desk: Desk, request: Request) -> Response:
    asked = await _json(request)
    language = asked.get("language")
    if not isinstance(language, str) or language not in CATALOGUES:
        raise HTTPException(400, f"language: want one of {', '.join(CATALOGUES)}")
    desk.begin(language, asked.get("group") is True)
    return JSONResponse({})


async def _page(desk: Desk, request: Request) -> Response:
    desk.here()
    desk.pictures.page = await _picture(desk, request)
    desk.pictures.other = b""
    return JSONResponse({})


async def _other(desk: Desk, request: Request) -> Response:
    desk.here()
    desk.pictures.other = await _picture(desk, request)
    return JSONResponse({})


async def _face(desk: Desk, request: Request) -> Response:
    """A face from a file, which is nobody's live one."""
    if not desk.habits.files:
        raise HTTPException(403, "face: this kiosk takes no files; use its camera")
    desk.here()
    desk.pictures.face = await _picture(desk, request)
    return JSONResponse({})


async def _guide(desk: Desk, _: Request) -> Response:
    desk.guide()
    return JSONResponse({})


async def _frame(desk: Desk, request: Request) -> Response:
    desk.here()
    picture = await _picture(desk, request)
    guiding = desk.pictures.guiding
    if guiding is None:
        raise HTTPException(409, "no guided capture has begun; post /api/guide first")
    return JSONResponse(await run_in_threadpool(guiding.show, picture))


async def _screen(desk: Desk, request: Request) -> Response:
    desk.here()
    asked = await _json(request)
    desk.here()
    if not desk.pictures.page:
        raise HTTPException(409, "there is no picture of a document; post /api/page first")
    if desk.busy:
        raise HTTPException(409, "a screening is running; wait for it")
    desk.busy = True
    try:
        told = await run_in_threadpool(desk.screen, asked.get("declined") is True)
        desk.settle(told)
    finally:
        desk.busy = False
    return JSONResponse({"next": str(told.next), "advice": [problem.advice for problem in told.advice]})


async def _here(desk: Desk, _: Request) -> Response:
    """The traveler is still there, and needs more time."""
    desk.here()
    return JSONResponse({})


async def _end(desk: Desk, _: Request) -> Response:
    desk.end()
    return JSONResponse({})


async def _picture(desk: Desk, request: Request) -> bytes:
    """Return a picture as it was posted. What it shows is judged by the services; that it is none at all, here."""
    kind, visit = request.headers.get("content-type", ""), desk.visit
    if kind not in MAGIC:
        raise HTTPException(415, "Content-Type: want image/jpeg or image/png")
    body = await _body(request, PICTURE_BYTES)
    if not body.startswith(MAGIC[kind]):
        raise HTTPException(415, f"picture: it doesn't begin as {kind} does")
    if desk.visit is not visit or desk.busy:
        raise NoVisitError
    return body


async def _json(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "") != "application/json":
        raise HTTPException(415, "Content-Type: want application/json")
    try:
        asked = json.loads(await _body(request, JSON_BYTES))
    except (ValueError, RecursionError):
        raise HTTPException(400, "body: want JSON") from None
    if not isinstance(asked, dict):
        raise HTTPException(400, "body: want a JSON object")
    return asked


async def _body(request: Request, most: int) -> bytes:
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        raise HTTPException(413, f"body: want at most {most} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise HTTPException(413, f"body: want at most {most} bytes")
    except TimeoutError:
        raise HTTPException(408, f"body: want it within {BODY_SECONDS:g} s") from None
    return bytes(body)


async def _no_visit(_: Request, __: Exception) -> Response:
    return Response("no visit: it ended, or none has begun; post /api/begin", 409, media_type="text/plain")


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)


@contextlib.asynccontextmanager
async def _background(desk: Desk) -> AsyncIterator[None]:
    desk.client.submit_in_background()
    sweeping = asyncio.create_task(_sweep(desk))
    try:
        yield
    finally:
        sweeping.cancel()
        desk.end()


async def _sweep(desk: Desk) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        desk.end_if_idle()
