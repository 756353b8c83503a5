"""What every page is made with: who asks, their words, the gateway, and what goes around the page itself."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import grpc
import jinja2
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from borderpost.console.gateway import Gateway, ask
from borderpost.console.sessions import Notice, Session, Sessions
from borderpost.console.words import CATALOGUES, Words, words
from borderpost.runtime.calls import Role
from borderpost.runtime.clock import Clock, from_timestamp
from borderpost.runtime.people import People
from borderpost.runtime.settings import Settings
from borderpost.runtime.status import RemoteError

CSRF_FIELD: Final = "csrf"
MOST_FIELDS: Final = 2000
MOST_FILES: Final = 64
MOST_NOTICES: Final = 5
MOST_DRAFT: Final = 20_000
"""Characters of one form that are kept; there may be many sessions."""

FORM_BYTES: Final = 32 * 1024 * 1024
"""Pictures of an import's rows come in one form."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the console: where it begins, and whose it is."""

    name: str
    path: str
    roles: frozenset[Role]


SECTIONS: Final = (
    Section("queue", "/queue", frozenset({Role.OFFICER, Role.SUPERVISOR, Role.AUDITOR})),
    Section("lists", "/lists", frozenset({Role.LIST_MANAGER, Role.APPROVER, Role.OFFICER, Role.AUDITOR})),
    Section("audit", "/audit", frozenset({Role.AUDITOR})),
    Section("reports", "/reports", frozenset({Role.AUDITOR, Role.SUPERVISOR})),
    Section("rights", "/rights", frozenset({Role.SUPERVISOR, Role.AUDITOR})),
    Section(
        "administration", "/administration", frozenset({Role.ADMINISTRATOR, Role.APPROVER, Role.AUDITOR})
    ),
)
"""What the navigation leads to. Only what is shown: the services decide what is allowed."""

HOMES: Final = (
    (Role.OFFICER, "/queue"),
    (Role.SUPERVISOR, "/queue"),
    (Role.AUDITOR, "/audit"),
    (Role.LIST_MANAGER, "/lists"),
    (Role.APPROVER, "/lists"),
    (Role.ADMINISTRATOR, "/administration"),
)
"""Where people's work is; the first of their roles counts."""


@dataclass(frozen=True, slots=True)
class Console:
    """What there is once for all pages."""

    settings: Settings
    gateway: Gateway
    people: People
    sessions: Sessions
    clock: Clock
    templates: jinja2.Environment = field(default_factory=lambda: environment())  # noqa: PLW0108  made further down


class StaleLoginError(Exception):
    """What is asked for needs a login that is not so old. `back`: the page to come back to."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.back = back


class Page:
    """One request of a person who is logged in."""

    def __init__(self, console: Console, request: Request, session: Session) -> None:
        self.console = console
        self.request = request
        self.session = session
        self.words = words(session.language)
        self.gateway = console.gateway

    async def ask(self, method: Any, request: Any, purpose: str = "", **more: Any) -> Any:
        """Call the gateway as this person. Raises RemoteError."""
        return await ask(self.session, method, request, purpose, **more)

    async def form(self) -> FormData:
        """Return the form that was sent, from one of our pages. Raises HTTPException."""
        headers = self.request.headers
        length = headers.get("content-length", "")
        chunked = "transfer-encoding" in headers  # then the length says nothing (RFC 9112, 6.3)
        if chunked or not length.isdecimal() or int(length) > FORM_BYTES:
            raise HTTPException(413)
        form = await self.request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=FORM_BYTES)
        token = form.get(CSRF_FIELD)
        if not isinstance(token, str) or not secrets.compare_digest(
            token.encode(), self.session.csrf.encode()
        ):
            raise HTTPException(403)
        return form

    def want_fresh(self, form: FormData, back: str) -> None:
        """Want a login that is not too old; keep what was filled in for when the person comes back.

        Raises StaleLoginError.
        """
        if not self.session.is_fresh(self.console.clock.now(), self.console.settings.console.fresh_seconds):
            self.keep_draft(back, form)
            raise StaleLoginError(back)

    def keep_draft(self, path: str, form: FormData) -> None:
        """Keep what was filled in, for when the person is back on that page: what a person writes, and no file."""
        texts = {name: texts_of(form, name) for name in form if name != CSRF_FIELD}
        if sum(len(text) for kept in texts.values() for text in kept) <= MOST_DRAFT:
            self.session.drafts[path] = texts

    def draft(self, path: str) -> Mapping[str, Sequence[str]]:
        """Return what was filled in on a page before the person had to log in again; once."""
        return self.session.drafts.pop(path, {})

    def show(self, template: str, code: int = 200, **values: Any) -> Response:
        """Answer with a page."""
        notices, self.session.notices = self.session.notices, []
        return HTMLResponse(
            self.console.templates.get_template(template).render(
                **around(self.words, self.request, self.console.clock.now()),
                session=self.session,
                sections=[each for each in SECTIONS if self.session.may(*each.roles)],
                notices=notices,
                csrf=self.session.csrf,
                idle_seconds=int(self.console.settings.console.idle_seconds),
                **values,
            ),
            code,
        )

    def part(self, template: str, **values: Any) -> Response:
        """Answer with a part of a page, for a page that is open already."""
        made = self.console.templates.get_template(template)
        return HTMLResponse(
            made.render(
                **around(self.words, self.request, self.console.clock.now()),
                session=self.session,
                csrf=self.session.csrf,
                **values,
            )
        )

    def go(self, path: str, notice: Notice | None = None) -> Response:
        """Answer with the way to another page, on which something is said."""
        if notice is not None:
            self.session.notices.append(notice)
            del self.session.notices[:-MOST_NOTICES]
        return RedirectResponse(path, 303)

    def failed(self, error: RemoteError, path: str) -> Response:
        """Say on a page what came of a step that a service refused. Raises StaleLoginError if the token ran out."""
        if error.code is grpc.StatusCode.UNAUTHENTICATED:
            raise StaleLoginError(path)
        return self.go(path, Notice("notice.refused", refusal(self.words, error), bad=True))


Handler = Callable[[Page], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A page for people who are logged in. `quiet`: asked for by the page itself, no sign that somebody sits there."""

    path: str
    handler: Handler
    method: str = "GET"
    quiet: bool = False


def around(spoken: Words, request: Request, now: datetime) -> Mapping[str, Any]:
    """Return what every template gets."""
    return {
        "t": spoken,
        "languages": sorted(CATALOGUES),
        "path": request.url.path,
        "can_reload": request.method == "GET",
        "now": now,
    }


def refusal(spoken: Words, error: RemoteError) -> Mapping[str, str]:
    """Say why a service refused something: the code's sentence, and the service's own words where they say more."""
    said = spoken.reason(error.reason)
    if error.by_grpc:
        said = spoken("error.unavailable")
    elif said == error.reason or error.reason in ("INVALID_REQUEST", "POLICY"):
        said = error.message
    return {"what": said, "reason": error.reason}


def text_of(form: FormData, name: str, most: int = 4000) -> str:
    """Return what was filled into a field, without blanks around it; empty if nothing. Raises HTTPException."""
    value = form.get(name, "")
    if not isinstance(value, str) or len(value) > most:
        raise HTTPException(400)
    return value.replace("\r\n", "\n").strip()


def texts_of(form: FormData, name: str) -> list[str]:
    """Return what was chosen of several."""
    return [value for value in form.getlist(name) if isinstance(value, str) and value]


async def file_of(form: FormData, name: str) -> bytes:
    """Return a file that was chosen; empty if none was."""
    value = form.get(name)
    return await value.read() if isinstance(value, UploadFile) else b""


def environment() -> jinja2.Environment:
    """Make what the templates are read with: everything is escaped, and what isn't there is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("borderpost.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["when"] = lambda stamp: from_timestamp(stamp).strftime("%Y-%m-%d %H:%M:%S")
    made.filters["iso"] = lambda stamp: from_timestamp(stamp).strftime("%Y-%m-%dT%H:%M:%SZ")
    return made
