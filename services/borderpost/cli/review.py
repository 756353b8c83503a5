"""`borderpost review …`: referrals, as officers and supervisors work on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from borderpost.cli import show, show_case, show_record
from borderpost.cli.options import Json, Purpose
from borderpost.cli.people import OFFICER, Person
from borderpost.runtime.settings import load_settings
from borderpost.v1 import cases_pb2 as pb
from borderpost.v1 import decisions_pb2

app = typer.Typer(
    help="Referrals: the queue, and what officers find. Who does what is recorded.", no_args_is_help=True
)

As = Annotated[str, typer.Option("--as", help="Your identity.")]
CaseId = Annotated[str, typer.Argument(help="The case's id.")]

WITHHELD: Final = (
    "What the system makes of faces is left out: look yourself first, then  borderpost review look"
)
VERDICT_HELP: Final = "same, not-same or cannot-tell"


@app.command("list")
def list_cases(
    crossing: Annotated[str, typer.Option(help="At this crossing.")] = "",
    reason: Annotated[str, typer.Option(help="With this reason code.")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Those that you hold.")] = False,
    closed: Annotated[bool, typer.Option("--closed", help="Those that are closed.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most this many.")] = 50,
    identity: As = OFFICER,
    as_json: Json = False,
) -> None:
    """List cases, the most urgent first. No personal data is in them.

    Example: `borderpost review list --crossing north`
    """
    states = [pb.CASE_STATE_CLOSED] if closed else []
    request = pb.ListCasesRequest(states=states, crossing=crossing, reason=reason, mine=mine, page_size=limit)
    with Person(load_settings(), identity) as officer:
        answer = officer.ask(officer.cases.ListCases, request)
    show.emit(
        as_json, answer, lambda: show_case.cases_view(answer.cases) if answer.cases else "No case waits."
    )
    if answer.next_page_token and not as_json:
        show.console.print(f"The first {len(answer.cases)} of more: --limit shows more.")


@app.command("show")
def show_one(
    case_id: CaseId,
    purpose: Purpose,
    pictures: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write the pictures that are held into this folder.")
    ] = None,
    identity: As = OFFICER,
    as_json: Json = False,
) -> None:
    """Show a case with everything that was found.

    Example: `borderpost review show CASE --purpose "at the counter" --pictures case/`
    """
    request = pb.GetCaseRequest(case_id=case_id, with_evidence=pictures is not None)
    with Person(load_settings(), identity, purpose) as officer:
        answer = officer.ask(officer.cases.GetCase, request)
    written = show_case.write_pictures(answer.screening.evidence, pictures) if pictures else []

    def render() -> None:
        lists = show_case.list_names(answer.screening.payload)
        show.console.print(show_case.case_view(answer.case, lists))
        show.console.print("", show_record.record_view(answer.screening), sep="\n")
        if answer.opinion_withheld:
            show.console.print(f"\n{WITHHELD}")
        if answer.findings:
            show.console.print("", show_case.findings_view(answer.findings, lists), sep="\n")
        if pictures:
            found = ", ".join(path.name for path in written) or "none is held (any more)"
            show.console.print(f"Pictures in {pictures}: {found}")

    show.emit(as_json, answer, render)


@app.command()
def claim(case_id: CaseId, identity: As = OFFICER, as_json: Json = False) -> None:
    """Take a case, or keep one that you hold for longer.

    Example: `borderpost review claim CASE`
    """
    with Person(load_settings(), identity) as officer:
        answer = officer.ask(officer.cases.ClaimCase, pb.ClaimCaseRequest(case_id=case_id))
    show.emit(as_json, answer, lambda: show_case.case_view(answer.case))


@app.command()
def release(case_id: CaseId, identity: As = OFFICER, as_json: Json = False) -> None:
    """Give a case back.

    Example: `borderpost review release CASE`
    """
    with Person(load_settings(), identity) as officer:
        answer = officer.ask(officer.cases.ReleaseCase, pb.ReleaseCaseRequest(case_id=case_id))
    show.emit(as_json, answer, lambda: show_case.case_view(answer.case))


@app.command()
def escalate(
    case_id: CaseId,
    reason: Annotated[str, typer.Option(help="Why, as a reason code, such as NOT_MINE_TO_DECIDE.")],
    identity: As = OFFICER,
    as_json: Json = False,
) -> None:
    """Hand a case to the supervisors.

    Example: `borderpost review escalate CASE --reason NOT_MINE_TO_DECIDE`
    """
    request = pb.EscalateCaseRequest(case_id=case_id, reason=reason)
    with Person(load_settings(), identity) as officer:
        answer = officer.ask(officer.cases.EscalateCase, request)
    show.emit(as_json, answer, lambda: show_case.case_view(answer.case))


@app.command()
def look(
    case_id: CaseId,
    candidate: Annotated[
        list[str],
        typer.Option(help=f"LIST:ENTRY=VERDICT of a candidate by face ({VERDICT_HELP}); may be repeated."),
    ],
    identity: As = OFFICER,
    as_json: Json = False,
) -> None:
    """Say what you see in the candidates' pictures, before you are shown what the system makes of them. Once.

    Example: `borderpost review look CASE --candidate LIST:ENTRY=not-same`
    """
    request = pb.RecordFirstLookRequest(case_id=case_id, candidates=_candidates(candidate))
    with Person(load_settings(), identity) as officer:
        answer = officer.ask(officer.cases.RecordFirstLook, request)
    show.emit(as_json, answer, lambda: show_case.case_view(answer.case))


@app.command()
def find(
    case_id: CaseId,
    document: Annotated[
        str, typer.Option(help=f"Is the traveler the holder of the document? {VERDICT_HELP}.")
    ],
    disposition: Annotated[str, typer.Option(help="proceed, second-line or handed-over.")],
    candidate: Annotated[
        list[str] | None,
        typer.Option(help=f"LIST:ENTRY=VERDICT of a candidate ({VERDICT_HELP}); may be repeated."),
    ] = None,
    reason: Annotated[list[str] | None, typer.Option(help="Why, as a reason code; may be repeated.")] = None,
    note: Annotated[str, typer.Option(help="Your own words. They are erased with the traveler's data.")] = "",
    identity: As = OFFICER,
    as_json: Json = False,
) -> None:
    """Say what you found in a case that you hold. Every candidate wants a verdict.

    Example: `borderpost review find CASE --document same --candidate LIST:ENTRY=not-same --disposition proceed`
    """
    request = pb.GiveFindingRequest(
        case_id=case_id,
        document=_verdict(document, "--document"),
        candidates=_candidates(candidate or ()),
        disposition=_disposition(disposition),
        reasons=reason or (),
        note=note,
    )
    with Person(load_settings(), identity) as officer:
        answer = officer.ask(officer.cases.GiveFinding, request)
    show.emit(as_json, answer, lambda: show_case.case_view(answer.case))


def _candidates(texts: Sequence[str]) -> list[decisions_pb2.CandidateFinding]:
    found = []
    for text in texts:
        who, _, verdict = text.partition("=")
        list_id, _, entry_id = who.partition(":")
        if not (list_id and entry_id and verdict):
            raise typer.BadParameter(f"got {text!r}, want LIST:ENTRY=VERDICT", param_hint="--candidate")
        found.append(
            decisions_pb2.CandidateFinding(
                list_id=list_id, entry_id=entry_id, verdict=_verdict(verdict, "--candidate")
            )
        )
    return found


def _verdict(text: str, option: str) -> decisions_pb2.FindingVerdict.ValueType:
    name = show_case.VERDICTS.get(text.lower())
    if name is None:
        raise typer.BadParameter(f"got {text!r}, want {VERDICT_HELP}", param_hint=option)
    return decisions_pb2.FindingVerdict.Value(f"FINDING_VERDICT_{name}")


def _disposition(text: str) -> decisions_pb2.Disposition.ValueType:
    name = f"DISPOSITION_{text.upper().replace('-', '_')}"
    if name not in decisions_pb2.Disposition.keys()[1:]:
        raise typer.BadParameter(
            f"got {text!r}, want proceed, second-line or handed-over", param_hint="--disposition"
        )
    return decisions_pb2.Disposition.Value(name)
