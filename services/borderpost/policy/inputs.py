"""What a policy looked at, into a record and back: so that a decision can be replayed, and a candidate policy tried."""

from __future__ import annotations

from borderpost.policy.domain import Advice, Age, Candidate, CheckKind, CheckResult, Status, Traveler
from borderpost.policy.model import Policy
from borderpost.v1.decisions_pb2 import CandidateInput, PatternTerms, PolicyInputs, TravelerScreened
from borderpost.v1.types_pb2 import Check, CheckStatus, Direction
from borderpost.v1.watchlist_pb2 import MatchKind, WatchlistCategory


def pattern_terms(policy: Policy) -> PatternTerms | None:
    """Return what the policy wants looked for among recent screenings; None: nothing."""
    wanted = policy.patterns
    if wanted is None:
        return None
    gallery = wanted.gallery
    return PatternTerms(
        window_seconds=wanted.window_seconds,
        two_places_seconds=wanted.two_places_seconds,
        most_visits=wanted.most_visits,
        portrait_changed=wanted.portrait_changed,
        gallery_seconds=gallery.seconds if gallery else 0,
        gallery_fmr=gallery.fmr if gallery else 0.0,
    )


def inputs_of(traveler: Traveler) -> PolicyInputs:
    """Return what is recorded of a traveler, beside kiosk, crossing, direction and attempt."""
    return PolicyInputs(
        document_code=traveler.document_code,
        chip=traveler.has_chip,
        age_from=traveler.age.at_least,
        age_below=traveler.age.below,
        accompanied=traveler.accompanied,
        face_matching_declined=traveler.declined,
        late=traveler.late,
        draw=traveler.draw,
        candidates=map(_candidate_input, traveler.candidates),
        patterns=traveler.patterns,
    )


def recorded_traveler(screening: TravelerScreened) -> Traveler | None:
    """Return the traveler of a record; None if it is from before records kept what policies look at."""
    if not screening.HasField("inputs"):
        return None
    inputs = screening.inputs
    return Traveler(
        crossing=screening.crossing,
        direction=Direction.Name(screening.direction).removeprefix("DIRECTION_"),
        document_code=inputs.document_code,
        attempt=screening.attempt,
        has_chip=inputs.chip,
        age=Age(
            inputs.age_from if inputs.HasField("age_from") else None,
            inputs.age_below if inputs.HasField("age_below") else None,
        ),
        accompanied=inputs.accompanied,
        declined=inputs.face_matching_declined,
        late=inputs.late,
        draw=inputs.draw if inputs.HasField("draw") else None,
        candidates=tuple(map(_candidate, inputs.candidates)),
        patterns=tuple(inputs.patterns),
    )


def check_of(result: CheckResult) -> Check:
    """Return what is recorded of a check."""
    return Check(
        name=result.kind,
        status=CheckStatus.Value(f"CHECK_STATUS_{result.status}"),
        reasons=result.reasons,
        mendable=[advice.code for advice in result.advice],
        merely_unsure=result.merely_unsure,
    )


def recorded_checks(screening: TravelerScreened) -> tuple[CheckResult, ...]:
    """Return the checks of a record, with the codes of their advice alone. Raises ValueError for a check or status that
    this version doesn't know."""
    return tuple(
        CheckResult(
            CheckKind(check.name),
            Status(CheckStatus.Name(check.status).removeprefix("CHECK_STATUS_")),
            tuple(check.reasons),
            tuple(Advice(code, "") for code in check.mendable),
            check.merely_unsure,
        )
        for check in screening.checks
    )


def _candidate_input(candidate: Candidate) -> CandidateInput:
    return CandidateInput(
        list_id=candidate.list_id,
        category=WatchlistCategory.Value(f"WATCHLIST_CATEGORY_{candidate.category}"),
        priority=candidate.priority,
        kind=MatchKind.Value(f"MATCH_KIND_{candidate.kind}"),
        suppressed=candidate.suppressed,
    )


def _candidate(recorded: CandidateInput) -> Candidate:
    return Candidate(
        recorded.list_id,
        WatchlistCategory.Name(recorded.category).removeprefix("WATCHLIST_CATEGORY_"),
        recorded.priority,
        MatchKind.Name(recorded.kind).removeprefix("MATCH_KIND_"),
        recorded.suppressed,
    )
