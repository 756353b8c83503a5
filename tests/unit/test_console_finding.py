"""A finding's form: whole or not taken."""

from __future__ import annotations

import pytest
from starlette.datastructures import FormData

from borderpost.console.cases import finding_request
from borderpost.v1 import decisions_pb2 as pb

WHOLE = [
    ("document", "SAME_PERSON"),
    ("key", "list:one"),
    ("candidate:list:one", "NOT_SAME_PERSON"),
    ("key", "list:two"),
    ("candidate:list:two", "CANNOT_TELL"),
    ("disposition", "SECOND_LINE"),
    ("reason", "FACES_COMPARED"),
    ("reason", "INVENTED"),
    ("note", "  words  "),
]


def test_a_whole_finding_is_taken():
    request = finding_request("case", FormData(WHOLE))
    assert request is not None
    assert request.document == pb.FINDING_VERDICT_SAME_PERSON
    assert request.disposition == pb.DISPOSITION_SECOND_LINE
    assert list(request.reasons) == ["FACES_COMPARED"]
    assert request.note == "words"
    assert [(each.list_id, each.entry_id, each.verdict) for each in request.candidates] == [
        ("list", "one", pb.FINDING_VERDICT_NOT_SAME_PERSON),
        ("list", "two", pb.FINDING_VERDICT_CANNOT_TELL),
    ]


@pytest.mark.parametrize("missing", ["document", "disposition", "candidate:list:two", "key"])
def test_a_finding_that_leaves_something_open_is_not_taken(missing):
    fields = [(name, value) for name, value in WHOLE if name != missing]
    assert finding_request("case", FormData(fields)) is None


@pytest.mark.parametrize("name", ["document", "disposition", "candidate:list:one"])
def test_a_finding_with_a_word_that_there_isnt_is_not_taken(name):
    fields = [(each, "MAYBE" if each == name else value) for each, value in WHOLE]
    assert finding_request("case", FormData(fields)) is None
