"""A finding says something of each candidate shown, and of no other; what it says of a list follows from that."""

from __future__ import annotations

import pytest

from borderpost.decisions.cases.findings import finding_of
from borderpost.runtime.errors import InvalidRequestError
from borderpost.v1.cases_pb2 import GiveFindingRequest
from borderpost.v1.decisions_pb2 import CandidateFinding
from fakes.decisions import a_payload

PAYLOAD = a_payload(candidates=[("l", "1"), ("l", "2"), ("m", "3")])
PAYLOAD.watchlists[2].candidates.add(entry_id="quiet").suppressed.SetInParent()


def said(*verdicts: tuple[str, str, int]) -> GiveFindingRequest:
    found = [CandidateFinding(list_id=a, entry_id=b, verdict=c) for a, b, c in verdicts]
    return GiveFindingRequest(candidates=found)


@pytest.mark.parametrize(("one", "other", "of_list"), [(2, 1, 1), (3, 1, 1), (2, 3, 3), (2, 2, 2)])
def test_a_list_is_said_of_what_its_candidates_are(one, other, of_list):
    finding = finding_of(said(("l", "1", one), ("l", "2", other), ("m", "3", 2)), PAYLOAD, ["l", "m"])
    assert [(each.list_id, each.verdict) for each in finding.lists] == [("l", of_list), ("m", 2)]


ALL = (("l", "1", 2), ("l", "2", 2), ("m", "3", 2))


@pytest.mark.parametrize("verdicts", [ALL[:2], (*ALL, ("m", "quiet", 2)), (*ALL, ALL[0])])
def test_a_verdict_too_few_of_a_suppressed_one_or_twice_is_refused(verdicts):
    with pytest.raises(InvalidRequestError):
        finding_of(said(*verdicts), PAYLOAD, ["l", "m"])


def test_after_erasure_nothing_is_told_of_lists_and_no_words_are_taken():
    assert [each.verdict for each in finding_of(said(), None, ["l"]).lists] == [3]
    with pytest.raises(InvalidRequestError):
        finding_of(GiveFindingRequest(note="x"), None, ["l"])
