"""One traveler's way through the services, step by step. A step that fails leaves a gap in the findings, and says
why."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from borderpost.gateway.deadline import left
from borderpost.gateway.domain import Findings, ScreenRequest
from borderpost.gateway.pictures import about, own_field, refuses_picture
from borderpost.gateway.ports import Decisions, Documents, Faces, Watchlists
from borderpost.runtime import tracing
from borderpost.runtime.calls import Call
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.errors import BorderpostError
from borderpost.v1 import decisions_pb2, documents_pb2, faces_pb2, types_pb2, watchlist_pb2

T = TypeVar("T")

CHIP_STEPS: Final = frozenset({"chip_portrait_template", "compare_chip", "compare_portraits"})
"""Steps that only a document with a chip has."""

FACE_STEPS: Final = frozenset(
    {
        "live_template",
        "portrait_template",
        "compare",
        "chip_portrait_template",
        "compare_chip",
        "compare_portraits",
    }
)
"""Steps that look at a face: not made, and not skipped either, where the traveler declined."""

NAME_COMPARED: Final = 12
"""Letters of a family name by which two documents are held to name one person: a TD1's MRZ cuts longer ones off."""

FIRST_SHARE: Final = 0.7
"""Of the time to look: what reading the document and making templates may take together. Of a service that hangs the
rest is left, so that what the others found is still compared and searched for."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The four services that the gateway coordinates."""

    documents: Documents
    faces: Faces
    watchlists: Watchlists
    decisions: Decisions


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the policy wants looked for: the false-match rate of comparisons, and patterns among recent screenings."""

    face_match_fmr: float
    patterns: decisions_pb2.PatternTerms | None


async def look(
    services: Services, request: ScreenRequest, wanted: Wanted, call: Call, until: float
) -> Findings:
    """Look at a traveler until then (monotonic clock). Raises what a service says of a picture that isn't one."""
    looking = _Looking(services, request, call)
    looking.until = time.monotonic() + FIRST_SHARE * left(until)
    await asyncio.gather(looking.at_document(), looking.at_live_face())
    if looking.refusal:
        raise looking.refusal
    looking.until = until
    await asyncio.gather(
        looking.at_faces(wanted.face_match_fmr), looking.at_watchlists(), looking.back(wanted.patterns)
    )
    return looking.findings


class _Looking:
    """One traveler's way. `until` is when what is being done now must have ended."""

    def __init__(self, services: Services, request: ScreenRequest, call: Call) -> None:
        self._services = services
        self._request = request
        self._call = call
        self.until = 0.0
        self.findings = Findings(chip_sent=request.chip is not None, declined=request.declined)
        self.refusal: BorderpostError | None = None

    async def at_document(self) -> None:
        """Read the page and the chip, then make templates of their portraits."""
        request = documents_pb2.ReadDocumentRequest(
            page=self._request.page,
            at=to_timestamp(self._request.at),
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
        """Make a template of a document's portrait, if there is one and it may be looked at."""
        if not picture or self._request.declined:
            self._skip(step)
            return None
        request = faces_pb2.ExtractTemplateRequest(
            frames=[picture], profile=faces_pb2.CAPTURE_PROFILE_DOCUMENT
        )
        return await self._step(step, self._services.faces.extract(request, self._call, self._left()))

    async def at_live_face(self) -> None:
        """Make a template of the live face, and learn from the capture token whether it is alive."""
        if self._request.declined:
            return
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
        live, page = template_of(self.findings.live), template_of(self.findings.portrait)
        chip = template_of(self.findings.chip_portrait)
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

    async def back(self, terms: decisions_pb2.PatternTerms | None) -> None:
        """Look back at the visit, its group, and what recent screenings say together with this one."""
        request = decisions_pb2.LookBackRequest(
            kiosk_id=self._request.kiosk_id,
            crossing=self._request.crossing,
            visit_id=self._request.visit_id,
            group_id=self._request.group_id,
            request_id=self._request.request_id,
            chip_portrait_sha256=chip_portrait_sha256(self.findings),
            at=to_timestamp(self._request.at),
            terms=terms,
        )
        document = _document(self.findings)
        if document is not None:
            request.document.CopyFrom(document)
        live = template_of(self.findings.live)
        if live is not None and terms is not None and terms.gallery_seconds:
            request.live_template.CopyFrom(live)
            request.holder_sha256 = holder_sha256(self.findings)
        self.findings.looked_back = await self._step(
            "look_back", self._services.decisions.look_back(request, self._call, self._left())
        )

    async def _step(self, name: str, work: Awaitable[T], field: str = "") -> T | None:
        """Do one step and note what became of it. `field` names the pictures of the request that it takes."""
        started = time.monotonic()
        result, reason = None, ""
        with tracing.step(name) as traced:
            try:
                result = await work
            except BorderpostError as error:
                reason = error.reason
                if field and refuses_picture(error):
                    self.refusal = self.refusal or about(own_field(field, error), error)
                else:
                    _log.warning("step_failed", step=name, reason=reason)
            traced(reason)
        status = types_pb2.STEP_STATUS_FAILED if reason else types_pb2.STEP_STATUS_DONE
        self._note(name, status, (time.monotonic() - started) * 1000, reason)
        return result

    def _skip(self, name: str) -> None:
        if name in CHIP_STEPS and self._request.chip is None:
            return  # of a document without a chip nothing was skipped
        if name in FACE_STEPS and self._request.declined:
            return  # nor of a face that wasn't to be looked at
        self._note(name, types_pb2.STEP_STATUS_SKIPPED)

    def _note(
        self, name: str, status: types_pb2.StepStatus.ValueType, milliseconds: float = 0.0, reason: str = ""
    ) -> None:
        self.findings.steps.append(
            types_pb2.Step(name=name, status=status, milliseconds=milliseconds, reason=reason)
        )

    def _left(self) -> float:
        return left(self.until)


def template_of(extraction: faces_pb2.ExtractTemplateResponse | None) -> types_pb2.Template | None:
    """Return the template that was made, if one was."""
    return extraction.template if extraction and extraction.HasField("template") else None


def chip_portrait_sha256(findings: Findings) -> bytes:
    """Return the SHA-256 of the portrait on the chip; empty if there is none."""
    portrait = findings.document.chip_portrait if findings.document else b""
    return hashlib.sha256(portrait).digest() if portrait else b""


def holder_sha256(findings: Findings) -> bytes:
    """Return the SHA-256 of whom the document names, by what two documents of one person have in common: date of birth
    and the beginning of the family name, as far as the shortest MRZ has it. Empty if either is unknown."""
    identity = findings.identity
    if identity is None or not identity.primary_identifier or not identity.birth_date.HasField("year"):
        return b""
    born = identity.birth_date
    holder = f"{identity.primary_identifier[:NAME_COMPARED]}/{born.year}-{born.month}-{born.day}"
    return hashlib.sha256(holder.encode()).digest()


def _search(findings: Findings) -> watchlist_pb2.SearchRequest | None:
    request = watchlist_pb2.SearchRequest()
    faces = (findings.live, findings.portrait, findings.chip_portrait)
    request.templates.extend(filter(None, map(template_of, faces)))
    identity, document = findings.identity, _document(findings)
    if document is not None:
        request.document.CopyFrom(document)
    if identity is not None and identity.primary_identifier:
        request.name.primary_identifier = identity.primary_identifier
        request.name.secondary_identifier = identity.secondary_identifier
        request.birth_date.CopyFrom(identity.birth_date)
    return request if request.ByteSize() else None


def _document(findings: Findings) -> types_pb2.DocumentKey | None:
    """Return what identifies the document, if all of it is known."""
    document = findings.identity.document if findings.identity else None
    if document and document.document_code and document.issuing_state and document.number:
        return document
    return None
