"""What `audit query` says of events: a sentence for every new kind, and documents in one form."""

from __future__ import annotations

import pytest
import typer

from borderpost.cli import show_events
from borderpost.cli.options import document_key
from borderpost.v1 import decisions_pb2

NEW = [body for body in decisions_pb2.Event.DESCRIPTOR.oneofs_by_name["body"].fields if body.number >= 23]


@pytest.mark.parametrize("name", [body.name for body in NEW])
def test_every_new_kind_of_event_has_a_sentence(name: str) -> None:
    event = decisions_pb2.Event(purpose="complaint 12")
    getattr(event, name).SetInParent()
    assert (show_events.sentence(event) or "").endswith("for: complaint 12")


def test_a_document_is_code_state_and_number() -> None:
    found = document_key("P:UTO:L898902C3")
    assert (found.document_code, found.issuing_state, found.number) == ("P", "UTO", "L898902C3")


@pytest.mark.parametrize("text", ["L898902C4", "P:D", "D::1", "P:D:1:2"])
def test_a_document_in_another_form_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(typer.BadParameter) as error:
        document_key(text)
    assert text not in str(error.value)
