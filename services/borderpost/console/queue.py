"""The officers' queue: referrals by urgency and waiting time, as they come."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

from borderpost.console.case_view import row
from borderpost.console.pages import Page, Route
from borderpost.runtime.calls import Role
from borderpost.v1 import cases_pb2 as pb

PAGE_SIZE: Final = 50
POLL_SECONDS: Final = 2
"""How often a page that is looked at asks what has changed: one light query each."""

MOST_COUNTED: Final = 10_000
"""The log counts no further (ListCasesResponse.total)."""

VIEWS: Final = ("waiting", "mine", "closed")

REASONS: Final = (
    "WATCHLIST_CANDIDATE_BY_FACE",
    "WATCHLIST_CANDIDATE_BY_DOCUMENT",
    "WATCHLIST_CANDIDATE_BY_NAME",
    "WATCHLIST_DOCUMENT_SIMILAR",
    "WATCHLIST_CANDIDATES_LEFT_OUT",
    "FACE_NOT_THE_DOCUMENTS",
    "FACE_NOT_THE_CHIPS",
    "PORTRAITS_DIFFER",
    "CHECK_DIGIT_REFUTED",
    "DOCUMENT_EXPIRED",
    "FACE_MATCHING_DECLINED",
    "COULD_BE_A_CLONE",
    "MINOR_ALONE",
    "ATTEMPTS_EXHAUSTED",
    "OFFICER_CHECK",
)
"""What the queue is filtered for most; any other code can be typed."""


def wanted(query: QueryParams) -> pb.ListCasesRequest:
    """Read which cases a query is about."""
    view = query.get("view", VIEWS[0])
    return pb.ListCasesRequest(
        states=[pb.CASE_STATE_CLOSED] if view == "closed" else [],
        crossing=query.get("crossing", "").strip(),
        reason=query.get("reason", "").strip().upper(),
        mine=view == "mine",
        page_size=PAGE_SIZE,
        page_token=query.get("after", ""),
    )


async def _values(page: Page) -> dict[str, Any]:
    query = page.request.query_params
    answer = await page.ask(page.gateway.cases.ListCases, wanted(query))
    now = page.console.clock.now()
    rows = [row(case, page.session.name, now, page.words) for case in answer.cases]
    may_take = page.session.may(Role.OFFICER, Role.SUPERVISOR)
    filters = {name: query[name] for name in ("view", "crossing", "reason") if query.get(name)}
    return {
        "rows": rows,
        "crossings": sorted({each.crossing for each in rows}),
        "total": answer.total if answer.HasField("total") else None,
        "more": answer.total >= MOST_COUNTED,
        "view": query.get("view", VIEWS[0]),
        "views": VIEWS if may_take else [view for view in VIEWS if view != "mine"],
        "filters": filters,
        "query": urlencode(filters),
        "first_page": not query.get("after"),
        "next": urlencode({**filters, "after": answer.next_page_token}) if answer.next_page_token else "",
        "may_take": may_take,
        "may_settle": page.session.may(Role.SUPERVISOR),
    }


async def _show(page: Page) -> Response:
    return page.show("queue.html", reasons=REASONS, poll_seconds=POLL_SECONDS, **await _values(page))


async def _rows(page: Page) -> Response:
    """The rows alone, for a page that looks whether they have changed."""
    return page.part("queue_rows.html", **await _values(page))


ROUTES: Final = (Route("/queue", _show), Route("/queue/rows", _rows, quiet=True))
