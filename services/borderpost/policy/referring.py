"""On which terms a referral is opened: how urgent it is, and how officers go about it."""

from __future__ import annotations

from collections.abc import Sequence

from borderpost.policy.domain import Candidate, Terms, Traveler
from borderpost.policy.model import LEAST_URGENT, Referral


def referral_terms(referral: Referral, reasons: Sequence[str], traveler: Traveler) -> Terms:
    """Return the terms of a referral: as urgent as its most urgent reason, pattern, or list with a candidate who
    counts; two officers, if one of the reasons or lists wants them; and their own look first, if a reason wants it."""
    found = [candidate for candidate in traveler.candidates if not candidate.suppressed]
    by_reason = [referral.priorities.get(reason, referral.default_priority) for reason in reasons]
    by_pattern = [referral.priorities[code] for code in traveler.patterns if code in referral.priorities]
    by_list = [_priority(referral, candidate) for candidate in found]
    urgent = [priority for priority in (*by_reason, *by_pattern, *by_list) if 1 <= priority <= LEAST_URGENT]
    return Terms(
        min(urgent, default=referral.default_priority),
        not referral.second_finding.isdisjoint(reasons) or any(_two(referral, one) for one in found),
        not referral.own_look_first.isdisjoint(reasons),
    )


def _priority(referral: Referral, candidate: Candidate) -> int:
    """The priority that the policy gives the list, or the list's own."""
    for terms in referral.lists:
        if terms.priority is not None and terms.fits(candidate.list_id, candidate.category):
            return terms.priority
    return candidate.priority


def _two(referral: Referral, candidate: Candidate) -> bool:
    for terms in referral.lists:
        if terms.second_finding is not None and terms.fits(candidate.list_id, candidate.category):
            return terms.second_finding
    return False
