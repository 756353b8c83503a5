"""Fakes of the four services behind the gateway: they work, in memory, and can be told to fail, hang or lie.

Not real: no picture is read, no face is compared. A page is the bytes of its document number, a frame the
bytes of a person's name, and a template is that name again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import grpc

from borderpost.gateway.errors import RequestIdReusedError
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.errors import BorderpostError, PictureDamagedError, UnavailableError
from borderpost.runtime.status import RemoteError
from borderpost.v1 import decisions_pb2, documents_pb2, faces_pb2, types_pb2, watchlist_pb2

PASSED = types_pb2.CHECK_STATUS_PASSED
FAILED = types_pb2.CHECK_STATUS_FAILED
UNDETERMINED = types_pb2.CHECK_STATUS_UNDETERMINED
NOT_PERFORMED = types_pb2.CHECK_STATUS_NOT_PERFORMED

DAMAGED = b"damaged"
NOBODY = b"nobody"
LOOK = {"en": "Look into the camera.", "de": "Schauen Sie in die Kamera."}
UNREADABLE = b"unreadable"

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
"""When these services are asked, unless they are told otherwise."""

KIOSK_CALL = Call(
    "/borderpost.v1.GatewayService/ScreenTraveler",
    Actor("borderpost.test", "kiosk/north/1"),
    Role.KIOSK,
    Actor("borderpost.test", "kiosk/north/1"),
    frozenset({Role.KIOSK}),
    "",
    "",
    "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
)


@dataclass
class Mood:
    """How a fake behaves: `error` is raised, `hang` waits until the deadline."""

    error: BorderpostError | None = None
    hang: bool = False

    async def show(self, seconds: float) -> None:
        if self.hang:
            await asyncio.sleep(seconds)
            raise UnavailableError("too slow")
        if self.error:
            raise self.error


DOWN = UnavailableError("down")


@dataclass
class FakeDocuments:
    """Reads b"NUMBER": a page of that number with the portrait of the person `holders` names."""

    holders: dict[bytes, bytes]
    refuted: set[bytes] = field(default_factory=set)
    mood: Mood = field(default_factory=Mood)

    async def read(
        self, request: documents_pb2.ReadDocumentRequest, call: Call, seconds: float
    ) -> documents_pb2.ReadDocumentResponse:
        await self.mood.show(seconds)
        page = request.page
        if page == DAMAGED:
            raise PictureDamagedError("page: truncated", field="page")
        electronic = types_pb2.Verdict(status=UNDETERMINED)
        electronic.checks.add(name="CHIP_READ", status=NOT_PERFORMED, reasons=["CHIP_NOT_READ"])
        if page == UNREADABLE:
            problem = types_pb2.CaptureProblem(code="MRZ_NOT_FOUND", advice="Lay the page flat.")
            return documents_pb2.ReadDocumentResponse(problems=[problem], electronic=electronic)
        optical = types_pb2.Verdict(status=FAILED if page in self.refuted else PASSED)
        if page in self.refuted:
            optical.checks.add(name="CHECK_DIGITS", status=FAILED, reasons=["CHECK_DIGIT_REFUTED"])
        else:
            optical.checks.add(name="CHECK_DIGITS", status=PASSED)
        mrz = documents_pb2.Mrz(primary_identifier="SPECIMEN", birth_date=types_pb2.PartialDate(year=1980))
        mrz.document.document_code, mrz.document.issuing_state = "P", "UTO"
        mrz.document.number = page.decode()
        answer = documents_pb2.ReadDocumentResponse(
            mrz=mrz, portrait=self.holders.get(page, b""), optical=optical, electronic=electronic
        )
        if request.HasField("chip"):
            _read_chip(request.chip, page, answer)
        else:
            answer.consistency.status = UNDETERMINED
            answer.consistency.checks.add(
                name="MRZ_IS_THE_CHIPS", status=NOT_PERFORMED, reasons=["NO_CHIP_FILES"]
            )
        return answer


def _read_chip(
    chip: documents_pb2.ChipFiles, page: bytes, answer: documents_pb2.ReadDocumentResponse
) -> None:
    """A chip's SOD says what it comes to, DG1 is the number of its page, and DG2 the person on it."""
    signature, reasons = {
        b"genuine": (PASSED, []),
        b"clone": (PASSED, []),
        b"broken": (FAILED, ["SIGNATURE_WRONG"]),
        b"unknown": (UNDETERMINED, ["TRUST_ANCHOR_UNKNOWN"]),
    }[chip.sod]
    cloned = [] if chip.sod == b"genuine" else ["COULD_BE_A_CLONE"]
    answer.electronic.CopyFrom(
        types_pb2.Verdict(
            status=UNDETERMINED if signature == PASSED and cloned else signature,
            checks=[
                types_pb2.Check(name="CHIP_READ", status=PASSED),
                types_pb2.Check(name="SIGNATURE", status=signature, reasons=reasons),
                types_pb2.Check(
                    name="CLONE_PROTECTION", status=UNDETERMINED if cloned else PASSED, reasons=cloned
                ),
            ],
        )
    )
    same = chip.dg1 == page
    answer.consistency.status = PASSED if same else FAILED
    answer.consistency.checks.add(
        name="MRZ_IS_THE_CHIPS", status=answer.consistency.status, reasons=[] if same else ["MRZ_DIFFERS"]
    )
    answer.chip.files.extend(["SOD", "DG1", "DG2"])
    answer.chip_portrait = chip.dg2
    answer.trust_store_version = 5


@dataclass
class FakeFaces:
    """A frame holds the name of the person that it shows; equal names match.

    `tokens` are the capture tokens it knows, with their visits: the status of liveness, and its reasons.
    """

    model: str = "fake"
    mood: Mood = field(default_factory=Mood)
    compare_mood: Mood = field(default_factory=Mood)
    tokens: dict[tuple[bytes, str], tuple[types_pb2.CheckStatus.ValueType | str, ...]] = field(
        default_factory=dict
    )

    async def extract(
        self,
        request: faces_pb2.ExtractTemplateRequest,
        call: Call,
        seconds: float,
    ) -> faces_pb2.ExtractTemplateResponse:
        await self.mood.show(seconds)
        frames, language = request.frames, request.language
        if DAMAGED in frames:
            raise PictureDamagedError("frames[0]: truncated", field="frames[0]")
        answer = faces_pb2.ExtractTemplateResponse(liveness=self._liveness(request))
        if frames[0] == NOBODY:
            answer.problems.add(code="NO_FACE", advice=LOOK.get(language, LOOK["en"]))
        else:
            answer.template.model_id, answer.template.values = self.model, frames[0]
        return answer

    def _liveness(self, request: faces_pb2.ExtractTemplateRequest) -> faces_pb2.Liveness:
        if not request.capture_token:
            return faces_pb2.Liveness(status=NOT_PERFORMED)
        status, *reasons = self.tokens[request.capture_token, request.visit_id]
        return faces_pb2.Liveness(status=status, method="challenge 1", reasons=reasons)

    async def compare(
        self, probe: types_pb2.Template, reference: types_pb2.Template, fmr: float, call: Call, seconds: float
    ) -> faces_pb2.CompareResponse:
        await self.compare_mood.show(seconds)
        same = probe.values == reference.values
        return faces_pb2.CompareResponse(
            score=types_pb2.Score(value=1.0 if same else 0.0), status=PASSED if same else FAILED
        )


@dataclass
class FakeWatchlists:
    """One list, of the faces, documents and surnames in `wanted`; those in `suppressed` too, as suppressed ones.

    `pair` is what a candidate carries for ProposeSuppression. `similar` makes documents that agree but for
    a character. `as_of` is when the lists were last known to be the database's. `entries` are its entries by
    id, oldest first: their pictures, and the models of their templates.
    """

    wanted: set[bytes] = field(default_factory=set)
    suppressed: set[bytes] = field(default_factory=set)
    similar: bool = False
    pair: bytes = b""
    as_of: datetime | None = NOON
    mood: Mood = field(default_factory=Mood)
    proposed: list[watchlist_pb2.Entry] = field(default_factory=list)
    staged: list[watchlist_pb2.ImportRow] = field(default_factory=list)
    entries: dict[str, tuple[list[bytes], set[str]]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    async def search(
        self, request: watchlist_pb2.SearchRequest, call: Call, seconds: float
    ) -> watchlist_pb2.SearchResponse:
        await self.mood.show(seconds)
        looked_for = {
            watchlist_pb2.MATCH_KIND_FACE: [template.values for template in request.templates],
            watchlist_pb2.MATCH_KIND_DOCUMENT: [request.document.number.encode()],
            watchlist_pb2.MATCH_KIND_NAME: [request.name.primary_identifier.encode()],
        }
        as_of = None if self.as_of is None else to_timestamp(self.as_of)
        answer = watchlist_pb2.SearchResponse(version=7, as_of=as_of)
        answer.searched_by.extend(kind for kind, values in looked_for.items() if any(values))
        result = answer.results.add()
        for kind, values in looked_for.items():
            if self.wanted & set(values):
                found = result.candidates.add(entry_id="entry", kind=kind, pair=self.pair)
                if kind == watchlist_pb2.MATCH_KIND_DOCUMENT:
                    found.number.exact = not self.similar
            if self.suppressed & set(values):
                mark = watchlist_pb2.SuppressionMark(suppression_id="suppression")
                result.candidates.add(entry_id="another", kind=kind, pair=self.pair, suppressed=mark)
        return answer

    async def propose(
        self, entry: watchlist_pb2.Entry, call: Call, seconds: float
    ) -> watchlist_pb2.ProposeEntryResponse:
        await self.mood.show(seconds)
        self.proposed.append(entry)
        return watchlist_pb2.ProposeEntryResponse(entry=entry)

    async def stage_rows(
        self, request: watchlist_pb2.StageRowsRequest, call: Call, seconds: float
    ) -> watchlist_pb2.StageRowsResponse:
        await self.mood.show(seconds)
        self.staged += request.rows
        answer = watchlist_pb2.StageRowsResponse(
            errors=[row.error for row in request.rows if row.HasField("error")]
        )
        getattr(answer, "import").import_id = request.import_id
        return answer

    async def without_model(
        self, request: watchlist_pb2.ListWithoutModelRequest, call: Call, seconds: float
    ) -> watchlist_pb2.ListWithoutModelResponse:
        await self.mood.show(seconds)
        behind = list(self.entries).index(request.page_token) + 1 if request.page_token else 0
        left = [
            (entry_id, pictures)
            for entry_id, (pictures, models) in list(self.entries.items())[behind:]
            if request.model_id not in models
        ]
        shown = left[: request.page_size]
        return watchlist_pb2.ListWithoutModelResponse(
            entries=[watchlist_pb2.EntryPictures(entry_id=i, pictures=pictures) for i, pictures in shown],
            next_page_token=shown[-1][0] if len(left) > len(shown) else "",
        )

    async def add_templates(
        self, entry_id: str, templates: Sequence[types_pb2.Template], call: Call, seconds: float
    ) -> watchlist_pb2.AddTemplatesResponse:
        await self.mood.show(seconds)
        if entry_id in self.removed:
            raise RemoteError(grpc.StatusCode.NOT_FOUND, "ENTRY_NOT_FOUND", "entry_id: there is none")
        self.entries[entry_id][1].update(template.model_id for template in templates)
        return watchlist_pb2.AddTemplatesResponse()


@dataclass
class FakeDecisions:
    """Keeps records in a list, unique by kiosk and request id as the real log does."""

    mood: Mood = field(default_factory=Mood)
    append_mood: Mood = field(default_factory=Mood)
    records: list[decisions_pb2.AppendScreeningRequest] = field(default_factory=list)
    finds_nothing: bool = False
    policies: dict[str, bytes] = field(default_factory=dict)
    consulted: list[Call] = field(default_factory=list)
    erased: bool = False
    looked_back: decisions_pb2.LookBackResponse = field(default_factory=decisions_pb2.LookBackResponse)
    look_back_mood: Mood = field(default_factory=Mood)
    asked: list[decisions_pb2.LookBackRequest] = field(default_factory=list)

    async def look_back(
        self, request: decisions_pb2.LookBackRequest, call: Call, seconds: float
    ) -> decisions_pb2.LookBackResponse:
        """Answers with `looked_back`, whatever is asked."""
        await self.look_back_mood.show(seconds)
        self.asked.append(request)
        return self.looked_back

    async def find(
        self, kiosk_id: str, request_id: str, call: Call, seconds: float
    ) -> decisions_pb2.LogEntry | None:
        await self.mood.show(seconds)
        if self.finds_nothing:
            return None
        return next(
            (self._entry(i) for i, r in enumerate(self.records) if self._key(r) == (kiosk_id, request_id)),
            None,
        )

    async def append(
        self, request: decisions_pb2.AppendScreeningRequest, call: Call, seconds: float
    ) -> decisions_pb2.AppendScreeningResponse:
        await self.append_mood.show(seconds)
        for index, record in enumerate(self.records):
            if self._key(record) == self._key(request):
                if record.screening.content_sha256 != request.screening.content_sha256:
                    raise RequestIdReusedError("reused")
                return decisions_pb2.AppendScreeningResponse(entry=self._entry(index), duplicate=True)
        self.records.append(request)
        return decisions_pb2.AppendScreeningResponse(entry=self._entry(len(self.records) - 1))

    async def get(
        self, request: decisions_pb2.GetScreeningRequest, call: Call, seconds: float
    ) -> decisions_pb2.GetScreeningResponse:
        await self.mood.show(seconds)
        for index, record in enumerate(self.records):
            if record.screening.request_id == request.request_id:
                self.consulted.append(call)
                return decisions_pb2.GetScreeningResponse(
                    entry=self._entry(index),
                    payload=None if self.erased else record.payload,
                    evidence=record.evidence if record.HasField("evidence") and not self.erased else None,
                )
        raise RemoteError(grpc.StatusCode.NOT_FOUND, "SCREENING_NOT_FOUND", "no such screening")

    async def policy(self, version: str, call: Call, seconds: float) -> bytes:
        await self.mood.show(seconds)
        if version not in self.policies:
            raise RemoteError(grpc.StatusCode.NOT_FOUND, "POLICY_NOT_FOUND", "no such policy")
        return self.policies[version]

    def _key(self, record: decisions_pb2.AppendScreeningRequest) -> tuple[str, str]:
        return record.screening.kiosk_id, record.screening.request_id

    def _entry(self, index: int) -> decisions_pb2.LogEntry:
        entry = decisions_pb2.LogEntry(
            index=index, logged_at=to_timestamp(datetime(2026, 11, 24, tzinfo=UTC))
        )
        entry.event.event_id = f"event-{index}"
        entry.event.traveler_screened.CopyFrom(self.records[index].screening)
        return entry
