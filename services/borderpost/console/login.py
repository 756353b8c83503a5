"""Logging in and out: at the identity provider, or by the development login where nobody has to be somebody."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.routing import Route as HttpRoute

from borderpost.console.pages import Console, Page, Route, around
from borderpost.console.provider import Provider, ProviderError, Started, Tokens
from borderpost.console.sessions import Notice, Session
from borderpost.console.words import CATALOGUES, accepted, words
from borderpost.runtime.calls import PEOPLE, Role
from borderpost.runtime.dev_login import DevelopmentLoginError, development_token
from borderpost.runtime.errors import BorderpostError

LANGUAGE_COOKIE: Final = "borderpost_language"
LOGIN_COOKIE: Final = "borderpost_login"
SEEN_COOKIE: Final = "borderpost_seen"
"""Somebody was logged in at this browser before. The provider then asks anew who it is: the next person at a desk must
not come in as the one who left it."""

RENEW_SECONDS: Final = 60.0
"""A token that runs out so soon is renewed before it is used."""

LOGIN_SECONDS: Final = 600.0
"""How long a login at the provider may take."""

MOST_LOGINS: Final = 1000
"""Logins that were begun and not finished; the oldest go first."""

MOST_PATH: Final = 500
RETRY_SECONDS: Final = 15.0
"""A provider that gave no token isn't asked again before: every page would wait for it."""

MOST_PART: Final = 10_000
"""Bytes of a field that somebody sends who isn't logged in."""

YEAR_SECONDS: Final = 31_536_000

DEVELOPERS: Final = (
    ("officer", "dev", Role.OFFICER),
    ("second-officer", "dev-second", Role.OFFICER),
    ("supervisor", "dev-third", Role.SUPERVISOR),
    ("list-manager", "dev", Role.LIST_MANAGER),
    ("approver", "dev-second", Role.APPROVER),
    ("auditor", "dev", Role.AUDITOR),
    ("administrator", "dev", Role.ADMINISTRATOR),
)
"""Whom the development login offers to be, as the command does: a text's key, a name and a role."""


_log = structlog.get_logger(__name__)


def safe_path(text: str) -> str:
    """Return a path of ours to go on to; the beginning for anything else (no other site, no line breaks)."""
    ours = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if ours and "\\" not in text and len(text) <= MOST_PATH else "/"


class Login:
    """The pages before somebody is logged in."""

    def __init__(self, console: Console, provider: Provider | None) -> None:
        """`provider`: None for the development login."""
        self._console = console
        self._provider = provider
        self._started: dict[str, tuple[Started, float]] = {}
        self._secure = console.settings.console.url.startswith("https:")

    @property
    def cookie_name(self) -> str:
        """The name of the session's cookie; with the prefix by which browsers hold it to this host (RFC 6265bis)."""
        return self._named("borderpost") if self._secure else "borderpost_console"

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self._secure else name

    def routes(self) -> list[BaseRoute]:
        """Return the pages."""
        pages: tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...] = (
            ("/login", "GET", self._offer),
            ("/login/start", "GET", self._start),
            ("/login/back", "GET", self._back),
            ("/login/development", "POST", self._development),
            ("/language", "POST", self._language),
        )
        return [HttpRoute(path, handler, methods=[method]) for path, method, handler in pages]

    def to_login(self, path: str, again: bool = False) -> Response:
        """Send somebody to where they can log in; `again`: who is logged in, and has to show that it is them."""
        query = urlencode(({"again": "1"} if again else {}) | ({"next": path} if path != "/" else {}))
        return RedirectResponse(f"/login?{query}" if query else "/login", 303)

    def language_of(self, request: Request) -> str:
        """Return the language that was chosen, or that the browser asks for."""
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")
        return chosen if chosen in CATALOGUES else accepted(request.headers.get("accept-language", ""))

    def session_of(self, request: Request, touch: bool) -> Session | None:
        """Return the session of a request."""
        return self._console.sessions.find(request.cookies.get(self.cookie_name, ""), touch)

    async def _offer(self, request: Request) -> Response:
        return self._page(request)

    def _page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        template = self._console.templates.get_template("login.html")
        spoken = words(self.language_of(request))
        session = self.session_of(request, touch=False)
        return HTMLResponse(
            template.render(
                **around(spoken, request, self._console.clock.now()),
                development=self._provider is None,
                developers=DEVELOPERS,
                roles=sorted(PEOPLE),
                next=safe_path(request.query_params.get("next", "/")),
                again=session.name if session and "again" in request.query_params else "",
                again_roles=sorted(session.person.roles) if session else [],
                again_scopes=" ".join(sorted(session.person.scopes)) if session else "",
                problem=problem,
            ),
            status,
        )

    async def _start(self, request: Request) -> Response:
        if self._provider is None:
            return RedirectResponse("/login", 303)
        known = "again" in request.query_params and self.session_of(request, touch=False) is not None
        try:
            started, url = await self._provider.begin(
                safe_path(request.query_params.get("next", "/")),
                request.cookies.get(self.cookie_name, "") if known else "",
                anew=known or self._named(SEEN_COOKIE) in request.cookies,
            )
        except ProviderError as error:
            return self._page(request, error.reason, 503)
        self._remember(started)
        answer = RedirectResponse(url, 303)
        self._set(answer, self._named(LOGIN_COOKIE), started.state)
        return answer

    async def _back(self, request: Request) -> Response:
        """The provider sends somebody back, with a code or an error."""
        state, code = request.query_params.get("state", ""), request.query_params.get("code", "")
        started, since = self._started.pop(state, (None, 0.0))
        ours = started is not None and request.cookies.get(self._named(LOGIN_COOKIE)) == state
        if self._provider is None or started is None or not ours or time.monotonic() - since > LOGIN_SECONDS:
            return self._page(request, "LOGIN_ENDED", 400)
        if not code:
            return self._page(request, "LOGIN_REFUSED", 403)
        try:
            tokens = await self._provider.finish(started, code)
            return self._enter(request, tokens, started.next, started.cookie)
        except BorderpostError as error:
            return self._page(request, error.reason, 403)

    async def _development(self, request: Request) -> Response:
        """Be whoever one says. Never in production, which makes no such token."""
        form = await request.form(max_files=0, max_fields=50, max_part_size=MOST_PART)
        name, roles = str(form.get("name", "")).strip(), [str(role) for role in form.getlist("role")]
        scopes = str(form.get("scopes", "")).split()
        again = request.cookies.get(self.cookie_name, "") if form.get("again") else ""
        try:
            if self._provider is not None:
                raise DevelopmentLoginError("login: there is an identity provider: log in there")
            settings = self._console.settings
            token = development_token(settings, name, roles, self._console.clock.now(), scopes)
            return self._enter(request, Tokens(token, ""), safe_path(str(form.get("next", "/"))), again)
        except BorderpostError as error:
            return self._page(request, error.reason, 403)

    async def renewed(self, session: Session) -> None:
        """Renew the token of a session, if it runs out soon and can be. What can't be renewed the services refuse."""
        async with session.renewing:
            if self._provider is None or not self._is_due(session):
                return
            try:
                tokens = await self._provider.renew(session.renewal)
                person = self._console.people.verify(tokens.token)
            except BorderpostError as error:
                _log.info("token_not_renewed", reason=error.reason)
                session.renew_after = self._console.clock.now() + timedelta(seconds=RETRY_SECONDS)
                return
            if person.actor == session.person.actor:
                since = min(person.authenticated_at, session.person.authenticated_at)  # nobody logged in anew
                session.person = replace(person, authenticated_at=since)
                session.token, session.renewal = tokens.token, tokens.renewal

    def _is_due(self, session: Session) -> bool:
        """Whether a token is to be renewed now: it runs out soon, and the login it goes back to is still good."""
        now, person = self._console.clock.now(), session.person
        most_age = timedelta(seconds=self._console.settings.people.most_age_seconds)
        return (
            bool(session.renewal)
            and person.expires_at - now <= timedelta(seconds=RENEW_SECONDS)
            and now - person.authenticated_at <= most_age
            and (session.renew_after is None or now >= session.renew_after)
        )

    def _enter(self, request: Request, tokens: Tokens, path: str, again: str) -> Response:
        """Begin the session of whom a token names, or let theirs go on. Raises the errors of `People.verify`."""
        person = self._console.people.verify(tokens.token)
        sessions = self._console.sessions
        before = sessions.find(again) if again else None
        if before is not None and before.person.actor == person.actor:
            before.notices.append(Notice("notice.fresh"))
            cookie = sessions.renew(again, person, tokens.token, tokens.renewal)
        else:
            sessions.end(request.cookies.get(self.cookie_name, ""))
            cookie = sessions.open(
                Session(person, tokens.token, self.language_of(request), renewal=tokens.renewal)
            )
        answer = RedirectResponse(path, 303)
        answer.delete_cookie(self._named(LOGIN_COOKIE), secure=self._secure, httponly=True, samesite="lax")
        self._set(answer, self.cookie_name, cookie)
        self._set(answer, self._named(SEEN_COOKIE), "1", YEAR_SECONDS)
        return answer

    async def _language(self, request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=5, max_part_size=MOST_PART)
        chosen = str(form.get("language", ""))
        answer = RedirectResponse(safe_path(str(form.get("next", "/"))), 303)
        if chosen in CATALOGUES:
            self._set(answer, LANGUAGE_COOKIE, chosen, YEAR_SECONDS)
            session = self.session_of(request, touch=True)
            if session is not None:
                session.language = chosen
        return answer

    async def leave(self, page: Page) -> Response:
        """End the session."""
        await page.form()
        self._console.sessions.end(page.request.cookies.get(self.cookie_name, ""))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(self.cookie_name, secure=self._secure, httponly=True, samesite="lax")
        answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer

    def own_routes(self) -> list[Route]:
        """Return the pages of somebody who is logged in."""
        return [Route("/logout", self.leave, "POST"), Route("/here", _here, "POST")]

    def _set(self, answer: Response, name: str, value: str, seconds: int | None = None) -> None:
        answer.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def _remember(self, started: Started) -> None:
        self._started[started.state] = (started, time.monotonic())
        while len(self._started) > MOST_LOGINS:
            del self._started[next(iter(self._started))]


async def _here(page: Page) -> Response:
    """The person is still there: their request alone is what counts."""
    await page.form()
    return Response(status_code=204)
