"""CasesService on the wire: checks, translates, hands to the use cases."""

from __future__ import annotations

from typing import Any

from borderpost.decisions.cases import validate
from borderpost.decisions.cases.app import Cases
from borderpost.decisions.cases.messages import (
    case_filter,
    case_message,
    place_token,
    shown_message,
    token_place,
)
from borderpost.decisions.sampled import entry_for_officers, for_officers
from borderpost.decisions.subjects.rectifying import Rectifying
from borderpost.runtime.calls import current
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.scopes import narrowed
from borderpost.v1 import cases_pb2 as pb
from borderpost.v1.cases_pb2_grpc import CasesServiceServicer


class CasesServicer(CasesServiceServicer):
    """See protos/borderpost/v1/cases.proto."""

    def __init__(self, cases: Cases, rectifying: Rectifying, pool: WorkPool) -> None:
        self._cases = cases
        self._rectifying = rectifying
        self._pool = pool

    async def ListCases(self, request: pb.ListCasesRequest, context: Any) -> pb.ListCasesResponse:
        """List cases."""
        validate.list_cases(request)
        request.crossing = narrowed(current(), request.crossing)
        wanted, behind = case_filter(request, current()), token_place(request.page_token)
        limit = request.page_size or validate.DEFAULT_PAGE
        page = await self._pool.run(self._cases.list_cases, wanted, behind, limit)
        now = self._cases.now()
        cases = [for_officers(case_message(case, now), current()) for case in page.cases]
        return pb.ListCasesResponse(cases=cases, next_page_token=place_token(page.behind), total=page.total)

    async def GetCase(self, request: pb.GetCaseRequest, context: Any) -> pb.GetCaseResponse:
        """Get a case with everything about it."""
        validate.case_id(request.case_id)
        shown = await self._pool.run(self._cases.get_case, request.case_id, request.with_evidence, current())
        answer = shown_message(shown, self._cases.now())
        statements = await self._pool.run(self._rectifying.of, request.case_id)
        answer.screening.rectifications.extend(statements)
        for_officers(answer.case, current())
        entry_for_officers(answer.screening.entry, current())
        return answer

    async def ClaimCase(self, request: pb.ClaimCaseRequest, context: Any) -> pb.ClaimCaseResponse:
        """Take a case, or keep it for longer."""
        validate.case_id(request.case_id)
        case = await self._pool.run(self._cases.claim, request.case_id, current())
        return pb.ClaimCaseResponse(case=for_officers(case_message(case, self._cases.now()), current()))

    async def ReleaseCase(self, request: pb.ReleaseCaseRequest, context: Any) -> pb.ReleaseCaseResponse:
        """Give a case back."""
        validate.case_id(request.case_id)
        case = await self._pool.run(self._cases.release, request.case_id, current())
        return pb.ReleaseCaseResponse(case=for_officers(case_message(case, self._cases.now()), current()))

    async def EscalateCase(self, request: pb.EscalateCaseRequest, context: Any) -> pb.EscalateCaseResponse:
        """Hand a case to the supervisors."""
        validate.escalate(request)
        case = await self._pool.run(self._cases.escalate, request.case_id, request.reason, current())
        return pb.EscalateCaseResponse(case=for_officers(case_message(case, self._cases.now()), current()))

    async def RecordFirstLook(
        self, request: pb.RecordFirstLookRequest, context: Any
    ) -> pb.RecordFirstLookResponse:
        """Say what one sees before one is shown what the system makes of it."""
        validate.record_first_look(request)
        case = await self._pool.run(self._cases.record_first_look, request, current())
        return pb.RecordFirstLookResponse(case=for_officers(case_message(case, self._cases.now()), current()))

    async def GiveFinding(self, request: pb.GiveFindingRequest, context: Any) -> pb.GiveFindingResponse:
        """Say what was found."""
        validate.give_finding(request)
        case = await self._pool.run(self._cases.give_finding, request, current())
        return pb.GiveFindingResponse(case=for_officers(case_message(case, self._cases.now()), current()))

    async def CorrectFinding(
        self, request: pb.CorrectFindingRequest, context: Any
    ) -> pb.CorrectFindingResponse:
        """Correct the finding that a closed case stands on."""
        validate.correct_finding(request)
        case = await self._pool.run(self._cases.correct_finding, request.finding, current())
        return pb.CorrectFindingResponse(case=for_officers(case_message(case, self._cases.now()), current()))
