"""What page, chip and live face say together: never better than its worst part, whatever the service says of it."""

from __future__ import annotations

import pytest

from borderpost.gateway import assess, combined
from borderpost.gateway.domain import Findings
from borderpost.policy.domain import CheckKind, Status
from borderpost.v1 import documents_pb2, faces_pb2, types_pb2

PASSED = types_pb2.CHECK_STATUS_PASSED
FAILED = types_pb2.CHECK_STATUS_FAILED
UNDETERMINED = types_pb2.CHECK_STATUS_UNDETERMINED
NOT_PERFORMED = types_pb2.CHECK_STATUS_NOT_PERFORMED


def verdict(status, *checks):
    return types_pb2.Verdict(
        status=status,
        checks=[types_pb2.Check(name=name, status=own, reasons=reasons) for name, own, *reasons in checks],
    )


def findings(electronic=None, optical=None, consistency=None, chip=True, chip_sent=True):
    document = documents_pb2.ReadDocumentResponse(
        optical=optical or verdict(PASSED, ("CHECK_DIGITS", PASSED)),
        electronic=electronic or verdict(PASSED, ("CHIP_READ", PASSED), ("CLONE_PROTECTION", PASSED)),
        consistency=consistency or verdict(PASSED, ("MRZ_IS_THE_CHIPS", PASSED)),
    )
    if chip:
        document.chip.files.append("SOD")
    same = faces_pb2.CompareResponse(status=PASSED, score=types_pb2.Score(value=0.9), threshold=0.5)
    return Findings(document=document, chip_comparison=same, portraits_comparison=same, chip_sent=chip_sent)


def result(kind, found):
    terms = assess.ListTerms(stale=False, refer_suppressed=False)
    return next(check for check in assess.assess(found, terms) if check.kind is kind)


def test_all_three_passed_is_passed():
    assert result(CheckKind.DOCUMENT_COMBINED, findings()).status is Status.PASSED


@pytest.mark.parametrize("said", [PASSED, UNDETERMINED, NOT_PERFORMED, FAILED, 0])
@pytest.mark.parametrize("part", ["optical", "electronic", "consistency"])
def test_a_failed_check_fails_the_whole_whatever_the_service_says_of_its_verdict(said, part):
    found = findings(**{part: verdict(said, ("A", PASSED), ("B", FAILED, "WRONG"))})
    checked = result(CheckKind.DOCUMENT_COMBINED, found)
    assert (checked.status, checked.reasons) == (Status.FAILED, ("WRONG",))


@pytest.mark.parametrize("said", [UNDETERMINED, NOT_PERFORMED, FAILED, 0])
def test_the_services_own_word_counts_where_it_is_the_worse_one(said):
    found = findings(electronic=verdict(said, ("CHIP_READ", PASSED)))
    assert result(CheckKind.DOCUMENT_COMBINED, found).status is not Status.PASSED
    assert result(CheckKind.DOCUMENT_ELECTRONIC, found).status is not Status.PASSED


@pytest.mark.parametrize(
    "lie",
    [
        faces_pb2.CompareResponse(status=PASSED),
        faces_pb2.CompareResponse(status=PASSED, score=types_pb2.Score(value=0.4), threshold=0.5),
        faces_pb2.CompareResponse(status=PASSED, score=types_pb2.Score(value=float("nan")), threshold=0.5),
    ],
    ids=["no score", "below its threshold", "no number"],
)
def test_a_comparison_that_says_passed_of_a_score_that_is_not_is_not_believed(lie):
    found = findings()
    found.chip_comparison = lie
    found.live = faces_pb2.ExtractTemplateResponse(template=types_pb2.Template())
    for kind in (CheckKind.DOCUMENT_COMBINED, CheckKind.FACE_MATCH):
        checked = result(kind, found)
        assert (checked.status, checked.reasons) == (Status.UNDETERMINED, ("ANSWER_CONTRADICTS_ITSELF",))


@pytest.mark.parametrize(
    ("checks", "unsure"),
    [
        ([("A", PASSED), ("B", UNDETERMINED, "COULD_BE_A_CLONE")], True),
        ([("A", UNDETERMINED), ("B", UNDETERMINED, "COULD_BE_A_CLONE")], False),
        ([("A", NOT_PERFORMED, "COULD_BE_A_CLONE"), ("B", UNDETERMINED, "COULD_BE_A_CLONE")], False),
        ([("A", 0, "COULD_BE_A_CLONE")], False),
        ([("A", FAILED, "COULD_BE_A_CLONE")], False),
        ([], False),
    ],
    ids=["unsure", "no reason", "not made", "no status", "failed", "nothing"],
)
def test_only_what_was_made_and_says_why_it_is_unsure_could_be_tolerated(checks, unsure):
    found = findings(electronic=verdict(UNDETERMINED, *checks))
    for kind in (CheckKind.DOCUMENT_ELECTRONIC, CheckKind.DOCUMENT_COMBINED):
        assert result(kind, found).merely_unsure is unsure


def test_a_chip_that_was_sent_and_not_answered_for_is_not_consistent():
    found = findings(chip=False)
    found.chip_comparison = found.portraits_comparison = None
    assert result(CheckKind.DOCUMENT_CONSISTENT, found).status is Status.UNDETERMINED
    assert not result(CheckKind.DOCUMENT_CONSISTENT, found).merely_unsure


def test_passive_authentication_alone_leaves_out_nothing_but_the_protection_against_copies():
    names = ["CHIP_READ", "SIGNATURE", "A_CHECK_OF_A_LATER_VERSION"]
    for odd in names:
        checks = [(name, UNDETERMINED if name == odd else PASSED, "WHY") for name in names]
        document = findings(electronic=verdict(UNDETERMINED, *checks)).document
        assert combined.chip_data(document).status == UNDETERMINED
    document = findings(
        electronic=verdict(UNDETERMINED, ("CHIP_READ", PASSED), ("CLONE_PROTECTION", FAILED, "COPY"))
    ).document
    assert combined.chip_data(document).status == PASSED
