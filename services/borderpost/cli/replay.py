"""`borderpost audit replay`: decide a screening again from its record."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.table import Table

from borderpost.cli import show
from borderpost.cli.options import Json, Purpose
from borderpost.cli.people import AUDITOR, Person
from borderpost.runtime.settings import load_settings
from borderpost.v1 import gateway_pb2

_FROM: Final = {
    "FINDINGS": "from everything that was found",
    "CHECKS": "from the recorded checks alone: what was found is erased, or was not kept whole at that time",
}
_NOT_COMPUTED: Final = {
    "": "",
    "NO_EVIDENCE": "not computed again: no templates are held of this traveler (any more)",
    "ANOTHER_MODEL": "not computed again: the faces service has another model now",
    "FACES_UNAVAILABLE": "not computed again: the faces service can't be reached",
}
_STEPS: Final = {
    "compare": "live face and page's portrait",
    "compare_chip": "live face and chip's portrait",
    "compare_portraits": "page's portrait and chip's",
}


def replay(
    request_id: str,
    purpose: Purpose,
    kiosk: Annotated[str, typer.Option(help="The kiosk, if several used this request id.")] = "",
    identity: Annotated[str, typer.Option("--as", help="Your identity.")] = AUDITOR,
    as_json: Json = False,
) -> None:
    """Decide a screening again from its record, by the policy that was in force. Exit status 1 if it comes out
    otherwise.

    Example: `borderpost audit replay REQUEST_ID --purpose "complaint 12/26"`
    """
    with Person(load_settings(), identity, purpose) as auditor:
        request = gateway_pb2.ReplayScreeningRequest(request_id=request_id, kiosk_id=kiosk)
        answer = auditor.ask(auditor.gateway.ReplayScreening, request)
    show.emit(as_json, answer, lambda: _view(answer))
    if not answer.same:
        raise typer.Exit(1)


def _view(answer: gateway_pb2.ReplayScreeningResponse) -> Table:
    rows = show.pairs()
    rows.add_row("decided again", "the same" if answer.same else "NOT the same as recorded")
    rows.add_row("by policy", answer.policy)
    rows.add_row("computed", _FROM.get(answer.computed_from, answer.computed_from))
    rows.add_row("recorded", show.outcome(answer.recorded_outcome))
    rows.add_row("", show.reasons(answer.recorded_reasons))
    if (answer.replayed_outcome, list(answer.replayed_reasons)) != (
        answer.recorded_outcome,
        list(answer.recorded_reasons),
    ):
        rows.add_row("now", show.outcome(answer.replayed_outcome))
        rows.add_row("", show.reasons(answer.replayed_reasons))
    if answer.differing_checks:
        rows.add_row("checks that differ", ", ".join(answer.differing_checks))
    for score in answer.scores:
        same = "the same" if score.same else f"recorded {score.recorded:.6f}, now {score.replayed:.6f}"
        rows.add_row(_STEPS.get(score.step, score.step), f"score {score.recorded:.4f}: {same}")
    if answer.scores_not_computed:
        rows.add_row("scores", _NOT_COMPUTED.get(answer.scores_not_computed, answer.scores_not_computed))
    return rows
