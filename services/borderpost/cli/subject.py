"""`borderpost subject …`: what is held of a person, its erasure, and the receipt that the person is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from borderpost.cli import show
from borderpost.cli.options import OWNER_ONLY, Json, Purpose, document_key
from borderpost.cli.people import LONG_SECONDS, SUPERVISOR, Person
from borderpost.proofs.notes import NoteError, Verifier, open_note
from borderpost.proofs.receipts import Receipt, ReceiptError, check_receipt, parse_receipt
from borderpost.runtime.errors import InvalidRequestError
from borderpost.runtime.settings import load_settings
from borderpost.v1 import subjects_pb2

app = typer.Typer(
    help="What is held of a person, and its erasure. Who looks and who erases is recorded.",
    no_args_is_help=True,
)

MAX_RECEIPT: Final = 1024 * 1024
"""Bytes. A receipt of a thousand screenings has about 50 KB."""


class Basis(StrEnum):
    """Why data is erased, as `--basis` takes it."""

    SUBJECT_REQUEST = "subject-request"
    UNLAWFUL = "unlawful"
    COURT_ORDER = "court-order"


As = Annotated[str, typer.Option("--as", help="Your identity.")]
Document = Annotated[str, typer.Option("--document", help="The document, as CODE:STATE:NUMBER.")]


@app.command()
def find(document: Document, purpose: Purpose, identity: As = SUPERVISOR, as_json: Json = False) -> None:
    """Find the screenings of a document whose data is still held, newest first.

    Example: `borderpost subject find --document P:UTO:L898902C3 --purpose "request 12/26"`
    """
    with Person(load_settings(), identity, purpose) as supervisor:
        answer = _find(supervisor, document)
    show.emit(as_json, answer, lambda: found_view(answer))


@app.command()
def erase(
    purpose: Annotated[str, typer.Option("--purpose", help="Why you erase. It is recorded with your name.")],
    basis: Annotated[Basis, typer.Option(help="Why the data has to go.")],
    receipt: Annotated[
        Path,
        typer.Option("--receipt", dir_okay=False, help="Where to write the receipt. It must not be there."),
    ],
    document: Annotated[
        str, typer.Option("--document", help="Erase all screenings of this document: CODE:STATE:NUMBER.")
    ] = "",
    event: Annotated[
        list[str] | None,
        typer.Option("--event", help="Erase this screening, by its event id; may be repeated."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    identity: As = SUPERVISOR,
    as_json: Json = False,
) -> None:
    """Erase the data of a person's screenings for good, and write the receipt that the person is given.

    What was read and found, pictures, templates and findings can't be read by anybody afterwards, nor be found by the
    document. Keep no copy of the receipt: with the log it tells which screenings were the person's.

    Example: `borderpost subject erase --document P:UTO:L898902C3 --basis subject-request --purpose "request 12/26"
    --receipt receipt.txt`
    """
    if bool(document) == bool(event):
        raise typer.BadParameter("want one of --document and --event", param_hint="--document, --event")
    request = subjects_pb2.EraseSubjectRequest(event_ids=event or (), basis=basis.name)
    if document:
        request.document.CopyFrom(document_key(document))
    with Person(load_settings(), identity, purpose) as supervisor, _new_receipt(receipt) as file:
        if not yes:
            _confirm(supervisor, document, event or [])
        answer = supervisor.ask(supervisor.subjects.EraseSubject, request, LONG_SECONDS)
        file.write(answer.receipt)
    show.emit(
        as_json,
        answer,
        lambda: (
            f"Erased the data of {show.count(answer.screenings, 'screening')}. The receipt for the person is in "
            f"{receipt}."
        ),
    )


@app.command()
def rectify(
    purpose: Purpose,
    event: Annotated[
        list[str], typer.Option("--event", help="The screening, by its event id; may be repeated.")
    ],
    statement: Annotated[str, typer.Option(help="What is wrong, and what is right.")],
    identity: As = SUPERVISOR,
    as_json: Json = False,
) -> None:
    """Put a statement beside screenings: what of their data is wrong, and what is right. The record itself stays.

    Example: `borderpost subject rectify --event EVENT_ID --statement "The name is spelled Berta."
    --purpose "request 12/26"`
    """
    request = subjects_pb2.RectifySubjectRequest(event_ids=event, statement=statement)
    with Person(load_settings(), identity, purpose) as supervisor:
        answer = supervisor.ask(supervisor.subjects.RectifySubject, request)
    beside = show.count(answer.screenings, "screening")
    show.emit(as_json, answer, lambda: f"The statement stands beside {beside}, wherever it is shown.")


@app.command("check-receipt")
def check_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The receipt.")],
    log_key: Annotated[
        list[str],
        typer.Option(
            "--log-key", help="The log's key, as the authority publishes it (C2SP vkey); may be repeated."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Check a receipt: that the log's key signed it, and that the erasure is in the log. Needs no connection.

    Example: `borderpost subject check-receipt receipt.txt --log-key "borderpost.local/decisions+1a2b3c4d+AZ…"`
    """
    receipt = open_receipt(_read(file), log_key)
    plain = {
        "log": receipt.origin,
        "erased": receipt.erased_at.isoformat(),
        "basis": receipt.basis,
        "screenings": list(receipt.screenings),
        "events": [each.index for each in receipt.events],
        "checkpoint": {"size": receipt.size, "root_sha256": receipt.root.hex()},
    }
    show.emit(as_json, plain, lambda: receipt_view(receipt))


def open_receipt(note: str, keys: list[str]) -> Receipt:
    """Read a signed receipt and check it. Raises ReceiptError."""
    try:
        opened = open_note(note, [Verifier.parse(key) for key in keys])
    except NoteError as error:
        raise ReceiptError(f"receipt: {error}") from None
    receipt = parse_receipt(opened.text)
    check_receipt(receipt)
    return receipt


def found_view(answer: subjects_pb2.FindSubjectResponse) -> Table | str:
    """Show what is held of a document."""
    if not answer.screenings:
        return "Nothing is held that could be found by this document."
    rows = show.table("when, where", "outcome", "held", "event, request", id_column=3)
    for each in answer.screenings:
        parts = (("data", each.payload_held), ("pictures", each.evidence_held))
        held = ", ".join(name for name, is_held in parts if is_held)
        ids = f"{each.event_id}\n{each.request_id}"
        rows.add_row(f"{show.when(each.time)}\n{each.crossing}", show.outcome(each.outcome), held, ids)
    if answer.more:
        rows.caption = "There are more."
    return rows


def receipt_view(receipt: Receipt) -> Table:
    """Show what a receipt that holds says."""
    rows = show.pairs()
    rows.add_row(
        "", Text("holds: the log's key signed it, and the erasure is in the log", style="bold green")
    )
    rows.add_row("log", receipt.origin)
    rows.add_row("erased", f"{receipt.erased_at:%Y-%m-%d %H:%M:%S} UTC")
    rows.add_row("basis", receipt.basis)
    rows.add_row("screenings", "\n".join(receipt.screenings))
    rows.add_row("recorded as", ", ".join(f"entry {event.index:,}" for event in receipt.events))
    rows.add_row(
        "checkpoint", f"of {show.count(receipt.size, 'entry', 'entries')}, root {receipt.root.hex()}"
    )
    return rows


def _find(supervisor: Person, document: str) -> subjects_pb2.FindSubjectResponse:
    request = subjects_pb2.FindSubjectRequest(document=document_key(document))
    answer: subjects_pb2.FindSubjectResponse = supervisor.ask(supervisor.subjects.FindSubject, request)
    return answer


def _confirm(supervisor: Person, document: str, event_ids: list[str]) -> None:
    """Ask before what can't be undone. Raises typer.Abort."""
    many = len(event_ids)
    more = ""
    if document:
        answer = _find(supervisor, document)
        many, more = len(answer.screenings), " or more" if answer.more else ""
    typer.confirm(f"Erase the data of {show.count(many, 'screening')}{more} for good?", abort=True, err=True)


@contextmanager
def _new_receipt(path: Path) -> Iterator[Any]:
    """A file for the receipt, opened before anything is erased: afterwards it would be too late to find it can't be."""
    try:
        path.touch(OWNER_ONLY, exist_ok=False)
    except FileExistsError:
        raise InvalidRequestError(f"{path}: is there already: want a new file") from None
    try:
        with path.open("w", encoding="utf-8") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_RECEIPT + 1)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > MAX_RECEIPT:
        raise ReceiptError(f"receipt: want text of at most {MAX_RECEIPT:,} bytes")
    return text
