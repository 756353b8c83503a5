"""The use case of the gateway: screen a traveler. Those around watchlist entries are in `enrolment`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, NoReturn, TypeVar

import grpc
import structlog

from borderpost.gateway.assess import ListTerms, assess, is_stale
from borderpost.gateway.deadline import left
from borderpost.gateway.domain import CheckResult, Decision, Findings, ScreenRequest
from borderpost.gateway.errors import (
    DecisionLogUnavailableError,
    RequestIdReusedError,
)
from borderpost.gateway.pictures import about, own_field, refuses_picture
from borderpost.gateway.policy import PolicyVersion, Traveler, decide
from borderpost.gateway.ports import Decisions, Documents, Faces, Watchlists
from borderpost.gateway.record import record_of
from borderpost.runtime.calls import Call
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.errors import BorderpostError
from borderpost.v1 import decisions_pb2, documents_pb2, faces_pb2, types_pb2, watchlist_pb2

T = TypeVar("T")

CHIP_STEPS: Final = frozenset({"chip_portrait_template", "compare_chip", "compare_portraits"})
"""Steps that only a document with a chip has."""

SOFTWARE: Final = f"borderpost {version('borderpost')}"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The four services that the gateway coordinates."""

    documents: Documents
    faces: Faces
    watchlists: Watchlists
    decisions: Decisions


@dataclass(frozen=True, slots=True)
class Screened:
    """A screening as it stands in the log, and whether it stood there before this request."""

    entry: decisions_pb2.LogEntry
    already_answered: bool


class Gateway:
    """Coordinates the services. Holds no state of its own."""

    def __init__(self, services: Services, policy: PolicyVersion, commit_seconds: float) -> None:
        self._services = services
        self._policy = policy
        self._commit_seconds = commit_seconds

    async def screen(self, request: ScreenRequest, call: Call, seconds: float) -> Screened:
        """Screen a traveler within `seconds`; returns only after the decision is durable.

        Raises DecisionLogUnavailableError (nothing was decided), RequestIdReusedError, and what the services
        say about a picture that isn't one.
        """
        until = time.monotonic() + seconds
        # 1. Answered before? Asked first, so that a log that is down costs the kiosk no waiting.
        earlier = await self._find(request, call)
        if earlier is not None:
            return Screened(earlier, already_answered=True)
        # 2. Look, keeping the time that the commit needs.
        findings = await self._look(request, call, until - self._commit_seconds)
        # 3. Decide: pure, from the findings, the time of the request and the policy alone.
        policy = self._policy.policy
        stale = is_stale(findings.watchlists_as_of, request.received_at, policy.max_watchlist_age_seconds)
        checks = assess(findings, ListTerms(stale, policy.refer_suppressed))
        traveler = Traveler(
            request.crossing,
            types_pb2.Direction.Name(request.direction).removeprefix("DIRECTION_"),
            findings.document.mrz.document.document_code if findings.document else "",
            request.attempt,
            has_chip=request.chip is not None,
        )
        decision = decide(policy, traveler, checks)
        # 4. Commit. No reply before it.
        return await self._commit(request, findings, checks, decision, call)

    async def _find(self, request: ScreenRequest, call: Call) -> decisions_pb2.LogEntry | None:
        try:
            entry = await self._services.decisions.find(
                request.kiosk_id, request.request_id, call, self._commit_seconds
            )
        except BorderpostError as error:
            _no_log(error)
        if entry and entry.event.traveler_screened.content_sha256 != request.content_sha256():
            raise RequestIdReusedError(
                "request_id: was used before for other content: make a new id for each attempt"
            )
        return entry

    async def _look(self, request: ScreenRequest, call: Call, until: float) -> Findings:
        looking = _Looking(self._services, request, call, until)
        await asyncio.gather(looking.at_document(), looking.at_live_face())
        if looking.refusal:
            raise looking.refusal
        await asyncio.gather(looking.at_faces(self._policy.policy.face_match_fmr), looking.at_watchlists())
        return looking.findings

    async def _commit(
        self,
        request: ScreenRequest,
        findings: Findings,
        checks: Sequence[CheckResult],
        decision: Decision,
        call: Call,
    ) -> Screened:
        record = record_of(request, findings, checks, decision, self._policy, SOFTWARE)
        try:
            answer = await self._services.decisions.append(record, call, self._commit_seconds)
        except BorderpostError as error:
            if error.reason == RequestIdReusedError.reason:
                raise
            _no_log(error)
        return Screened(answer.entry, already_answered=answer.duplicate)


class _Looking:
    """One traveler's way through the services. A step that fails leaves a gap in the findings, and says why."""

    def __init__(self, services: Services, request: ScreenRequest, call: Call, until: float) -> None:
        self._services = services
        self._request = request
        self._call = call
        self._until = until
        self.findings = Findings(chip_sent=request.chip is not None)
        self.refusal: BorderpostError | None = None

    async def at_document(self) -> None:
        """Read the page and the chip, then make templates of their portraits."""
        request = documents_pb2.ReadDocumentRequest(
            page=self._request.page,
            at=to_timestamp(self._request.received_at),
            portrait_page=self._request.portrait_page,
            chip=self._request.chip,
            visit_id=self._request.visit_id,
            language=self._request.language,
        )
        document = await self._step(
            "read_document",
            self._services.documents.read(request, self._call, self._left()),
            field="document_page",
        )
        self.findings.document = document
        self.findings.portrait, self.findings.chip_portrait = await asyncio.gather(
            self._portrait("portrait_template", document.portrait if document else b""),
            self._portrait("chip_portrait_template", document.chip_portrait if document else b""),
        )

    async def _portrait(self, step: str, picture: bytes) -> faces_pb2.ExtractTemplateResponse | None:
        """Make a template of a document's portrait, if there is one."""
        if not picture:
            self._skip(step)
            return None
        request = faces_pb2.ExtractTemplateRequest(
            frames=[picture], profile=faces_pb2.CAPTURE_PROFILE_DOCUMENT
        )
        return await self._step(step, self._services.faces.extract(request, self._call, self._left()))

    async def at_live_face(self) -> None:
        """Make a template of the live face, and learn from the capture token whether it is alive."""
        request = faces_pb2.ExtractTemplateRequest(
            frames=self._request.frames,
            profile=faces_pb2.CAPTURE_PROFILE_LIVE,
            language=self._request.language,
            capture_token=self._request.capture_token,
            visit_id=self._request.visit_id,
        )
        self.findings.live = await self._step(
            "live_template",
            self._services.faces.extract(request, self._call, self._left()),
            field="live_frames",
        )

    async def at_faces(self, fmr: float) -> None:
        """Compare the live face, the page's portrait and the chip's with one another, as far as they are there."""
        live, page = _template(self.findings.live), _template(self.findings.portrait)
        chip = _template(self.findings.chip_portrait)
        (
            self.findings.comparison,
            self.findings.chip_comparison,
            self.findings.portraits_comparison,
        ) = await asyncio.gather(
            self._compare("compare", live, page, fmr),
            self._compare("compare_chip", live, chip, fmr),
            self._compare("compare_portraits", page, chip, fmr),
        )

    async def _compare(
        self, step: str, one: types_pb2.Template | None, other: types_pb2.Template | None, fmr: float
    ) -> faces_pb2.CompareResponse | None:
        if one is None or other is None:
            self._skip(step)
            return None
        return await self._step(step, self._services.faces.compare(one, other, fmr, self._call, self._left()))

    async def at_watchlists(self) -> None:
        """Search all lists by whatever there is."""
        request = _search(self.findings)
        if request is None:
            self._skip("search_watchlists")
            return
        self.findings.watchlists = await self._step(
            "search_watchlists", self._services.watchlists.search(request, self._call, self._left())
        )

    async def _step(self, name: str, work: Awaitable[T], field: str = "") -> T | None:
        """Do one step and note what became of it. `field` names the pictures of the request that it takes."""
        started = time.monotonic()
        result, reason = None, ""
        try:
            result = await work
        except BorderpostError as error:
            reason = error.reason
            if field and refuses_picture(error):
                self.refusal = self.refusal or about(own_field(field, error), error)
            else:
                _log.warning("step_failed", step=name, reason=reason)
        status = types_pb2.STEP_STATUS_FAILED if reason else types_pb2.STEP_STATUS_DONE
        self._note(name, status, (time.monotonic() - started) * 1000, reason)
        return result

    def _skip(self, name: str) -> None:
        if name in CHIP_STEPS and self._request.chip is None:
            return  # of a document without a chip nothing was skipped
        self._note(name, types_pb2.STEP_STATUS_SKIPPED)

    def _note(
        self, name: str, status: types_pb2.StepStatus.ValueType, milliseconds: float = 0.0, reason: str = ""
    ) -> None:
        self.findings.steps.append(
            types_pb2.Step(name=name, status=status, milliseconds=milliseconds, reason=reason)
        )

    def _left(self) -> float:
        return left(self._until)


def _template(extraction: faces_pb2.ExtractTemplateResponse | None) -> types_pb2.Template | None:
    return extraction.template if extraction and extraction.HasField("template") else None


def _search(findings: Findings) -> watchlist_pb2.SearchRequest | None:
    request = watchlist_pb2.SearchRequest()
    faces = (findings.live, findings.portrait, findings.chip_portrait)
    request.templates.extend(filter(None, map(_template, faces)))
    if findings.document and findings.document.HasField("mrz"):
        _add_text(request, findings.document.mrz)
    return request if request.ByteSize() else None


def _add_text(request: watchlist_pb2.SearchRequest, mrz: documents_pb2.Mrz) -> None:
    document = mrz.document
    if document.document_code and document.issuing_state and document.number:
        request.document.CopyFrom(document)
    if mrz.primary_identifier:
        request.name.primary_identifier = mrz.primary_identifier
        request.name.secondary_identifier = mrz.secondary_identifier
        request.birth_date.CopyFrom(mrz.birth_date)


def _no_log(error: BorderpostError) -> NoReturn:
    _log.error("decision_log_unavailable", reason=error.reason)
    if error.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED):
        raise error  # the gateway and the log disagree: a fault of ours, not an outage
    raise DecisionLogUnavailableError(
        "the decision log can't be reached: nothing was decided. "
        "Send the traveler to an officer, or the same request again"
    ) from None
