"""`borderpost demo`: specimen travelers, screened by the real services. What is shown is computed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from borderpost.cli import show, show_record, show_watchlist
from borderpost.cli.options import Json
from borderpost.cli.people import ADMINISTRATOR, APPROVER, AUDITOR, LIST_MANAGER, OFFICER, Person
from borderpost.cli.specimen_chip import SpecimenReader
from borderpost.cli.stack import Stack, private_settings
from borderpost.cli.trust import import_words
from borderpost.kiosk.client import Kiosk
from borderpost.kiosk.visits import Visit
from borderpost.runtime.clock import new_id, to_timestamp
from borderpost.runtime.settings import Settings, load_settings
from borderpost.runtime.status import RemoteError
from borderpost.specimens import Sex
from borderpost.specimens.chip import ChipOrder, SpecimenChip, make_chip
from borderpost.specimens.forgeries import Forgery, forge
from borderpost.specimens.pages import Specimen, mrz_lines, render
from borderpost.specimens.samples import Samples, empty_scene, load_samples
from borderpost.v1 import decisions_pb2, gateway_pb2, trust_pb2, types_pb2, watchlist_pb2

KIOSK: Final = "kiosk/north/1"
PURPOSE: Final = "demo"
WATCHLIST: Final = "Demo list"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one scene. No outcome means an error, whose reason is in `why`."""

    title: str
    outcome: types_pb2.Outcome.ValueType | None
    why: str
    seconds: float

    def plain(self) -> dict[str, object]:
        """Return it as plain values."""
        outcome = None if self.outcome is None else types_pb2.Outcome.Name(self.outcome)
        return {
            "traveler": self.title,
            "outcome": outcome,
            "why": self.why,
            "seconds": round(self.seconds, 3),
        }


def specimen_a(pictures: Samples) -> Specimen:
    """Return holder A's passport."""
    expiry = date(datetime.now(UTC).year + 5, 6, 30)
    return Specimen(
        "Specimen",
        "Holder Alpha",
        "UT4K81P7C",
        date(1981, 8, 4),
        Sex.UNSPECIFIED,
        expiry,
        pictures.a_portrait,
    )


def make_watchlist(settings: Settings, name: str) -> str:
    """Make an empty list, as the list manager, and return its id. Without any list nobody is CLEAR."""
    watchlist = watchlist_pb2.Watchlist(
        list_id=new_id(),
        name=name,
        authority="Utopian Border Guard",
        legal_basis="Utopian Border Act, section 12",
        category=watchlist_pb2.WATCHLIST_CATEGORY_WANTED,
        priority=2,
        handling_instruction="Compare by eye; call the shift leader.",
        target_fpir=0.01,
    )
    with Person(settings, LIST_MANAGER) as manager:
        request = watchlist_pb2.CreateWatchlistRequest(watchlist=watchlist)
        return manager.ask(manager.watchlist.CreateWatchlist, request).watchlist.list_id


class Demo:
    """The scenes over one running stack."""

    def __init__(self, stack: Stack, pictures: Samples) -> None:
        self._stack = stack
        self._kiosk = Kiosk(stack.settings, KIOSK)
        self._pictures = pictures
        self._list_id = make_watchlist(stack.settings, WATCHLIST)
        self.results: list[Result] = []
        self._first_request = gateway_pb2.ScreenTravelerRequest()
        self._holder_a = specimen_a(pictures)
        self._holder_b = replace(
            self._holder_a,
            given_names="Holder Bravo",
            document_number="UT9M35X2W",
            portrait=pictures.b_portrait,
        )
        self._page_a, self._page_b = render(self._holder_a), render(self._holder_b)

    def run(self) -> bool:
        """Play all scenes; return whether the log is intact at the end."""
        a, b = self._pictures.a_live, self._pictures.b_live
        self._screen("A genuine traveler", self._page_a, a)
        self._again("The same request once more")
        self._screen("Another face than the document's", self._page_a, b)
        self._chips(a)
        self._enrol()
        self._screen("A person on a watchlist", self._page_b, b)
        wrong = replace(self._holder_a, wrong_digits=("document_number",))
        self._screen("A page with a wrong check digit", render(wrong), a)
        self._screen("Nobody in the live picture", self._page_a, empty_scene())
        self._happens("The face service is killed (SIGKILL)")
        self._stack.kill("faces")
        self._screen("The face service is down", self._page_a, a)
        self._happens("The face service is started again, and the decision log killed")
        self._stack.restart("faces")
        self._stack.kill("decisions")
        self._screen("The decision log is down", self._page_a, a)
        self._happens("The decision log is started again")
        self._stack.restart("decisions")
        self._again("The first request, after all that")
        return self._ending()

    def close(self) -> None:
        """Close the kiosk's channel."""
        self._kiosk.close()

    def _happens(self, what: str) -> None:
        show.console.rule(what, align="left", style="dim")

    def _chips(self, live: bytes) -> None:
        """Screen holder A with a chip in the passport: genuine, changed, copied."""
        signed_at = datetime.now(UTC) - timedelta(days=30)
        order = ChipOrder(mrz_lines(self._holder_a), self._pictures.a_portrait, signed_at)
        genuine = make_chip(order)
        self._screen("A chip of a state not trusted yet", self._page_a, live, genuine)
        self._trust(genuine)
        self._screen("The same chip, its state trusted", self._page_a, live, genuine)
        swapped = forge(Forgery.SWAPPED_PORTRAIT, order, other_portrait=self._pictures.b_portrait)
        self._screen("A chip whose portrait was changed", self._page_a, self._pictures.b_live, swapped)
        clone = forge(Forgery.ANSWERING_CLONE, order, genuine=genuine)
        self._screen("A copy of the chip", self._page_a, live, clone)

    def _trust(self, chip: SpecimenChip) -> None:
        """Import what Utopia publishes: its CSCA certificate and its revocation list."""
        self._happens("An administrator imports Utopia's CSCA certificate and revocation list")
        with Person(self._stack.settings, ADMINISTRATOR) as administrator:
            for name in ("csca.cer", "crl.crl"):
                request = trust_pb2.ImportTrustRequest(file=chip.trust[name], source=name)
                answer = administrator.ask(administrator.trust.ImportTrust, request)
                show.console.print(import_words(answer, dry_run=False))

    def _screen(self, title: str, page: bytes, live: bytes, chip: SpecimenChip | None = None) -> None:
        visit = Visit()
        files = self._kiosk.read_chip(visit, SpecimenReader(chip)) if chip else None
        request = self._kiosk.request(visit, page, [live], chip=files)
        if not self.results:
            self._first_request = request
        self._send(title, request)

    def _again(self, title: str) -> None:
        self._send(title, self._first_request)

    def _send(self, title: str, request: gateway_pb2.ScreenTravelerRequest) -> None:
        show.console.rule(Text(f"{len(self.results) + 1}  {title}", "bold"), align="left", style="dim")
        started = time.monotonic()
        try:
            answer = self._kiosk.send(request)
        except RemoteError as error:
            show.console.print(Text.assemble("no outcome  ", (error.reason, "bold"), f": {error.message}"))
            self.results.append(Result(title, None, error.reason, time.monotonic() - started))
            return
        seconds = time.monotonic() - started
        show.console.print(show.answer_view(answer))
        why = "the stored answer" if answer.already_answered else self._for_the_officer(answer)
        self.results.append(Result(title, answer.outcome, why, seconds))

    def _for_the_officer(self, answer: gateway_pb2.ScreenTravelerResponse) -> str:
        """Show what an officer sees, and return it in short."""
        with Person(self._stack.settings, OFFICER, PURPOSE) as officer:
            request = decisions_pb2.GetScreeningRequest(kiosk_id=KIOSK, request_id=answer.request_id)
            record = officer.ask(officer.decisions.GetScreening, request)
        screening = record.entry.event.traveler_screened
        if screening.outcome == types_pb2.OUTCOME_REFER:
            show.console.print("officer sees", style="dim")
            show.console.print(show_record.record_view(record))
        show.console.print(show.steps_line(answer.steps), style="dim")
        return ", ".join(screening.reasons) or "every required check passed"

    def _enrol(self) -> None:
        """Put holder B on the list: one person proposes, another approves."""
        settings = self._stack.settings
        show.console.rule(
            Text("A watchlist: one person proposes, another approves", "bold"), align="left", style="dim"
        )
        entry = watchlist_pb2.Entry(
            entry_id=new_id(),
            list_id=self._list_id,
            reason_code="DEMO",
            source_reference="demo/1",
            valid_until=to_timestamp(datetime.now(UTC) + timedelta(days=30)),
        )
        with Person(settings, LIST_MANAGER) as manager:
            pictures = [self._pictures.b_portrait]
            manager.ask(
                manager.gateway.EnrolEntry, gateway_pb2.EnrolEntryRequest(entry=entry, pictures=pictures)
            )
        with Person(settings, APPROVER) as approver:
            approver.ask(
                approver.watchlist.ApproveEntry, watchlist_pb2.ApproveEntryRequest(entry_id=entry.entry_id)
            )
            lists = approver.ask(approver.watchlist.ListWatchlists, watchlist_pb2.ListWatchlistsRequest())
        show.console.print(show_watchlist.lists_view(lists.watchlists))

    def _ending(self) -> bool:
        show.console.rule(Text("All of them", "bold"), align="left", style="dim")
        show.console.print(_summary(self.results))
        with Person(self._stack.settings, AUDITOR, PURPOSE) as auditor:
            request = decisions_pb2.QueryEventsRequest(page_size=500)
            entries = auditor.ask(auditor.decisions.QueryEvents, request).entries
            check = auditor.ask(auditor.decisions.VerifyLog, decisions_pb2.VerifyLogRequest())
        kinds: dict[str, int] = {}
        for entry in entries:
            kind = entry.event.WhichOneof("body") or ""
            kinds[kind] = kinds.get(kind, 0) + 1
        counted = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in sorted(kinds.items()))
        show.console.print("The decision log is", show.verification_view(check))
        show.console.print(f"  {counted}", style="dim")
        return check.intact


def run(
    samples: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="The sample pictures; `make samples` fetches them."),
    ] = Path(".cache/samples"),
    as_json: Json = False,
) -> None:
    """Screen specimen travelers by the real services on this machine, and show what happens.

    The services run on free ports and with a state of their own, which is made anew.

    Example: `borderpost demo --samples .cache/samples`
    """
    settings = load_settings()
    folder = settings.state_dir / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    pictures = load_samples(samples)
    stack = Stack(private_settings(folder, settings))
    show.console.quiet = as_json
    started = time.monotonic()
    show.console.print("Starting the services as processes, with mutual TLS between them …")
    stack.start(_told(started))
    demo = Demo(stack, pictures)
    try:
        intact = demo.run()
    finally:
        demo.close()
        stack.stop()
        show.console.quiet = False
    plain = {"travelers": [result.plain() for result in demo.results], "log_intact": intact}
    show.emit(as_json, plain, lambda: _where_next(folder))
    if not intact:
        raise typer.Exit(1)


def _told(started: float) -> Callable[[str], None]:
    return lambda name: show.console.print(
        f"  {name:<10} serves after {time.monotonic() - started:4.1f} s", style="dim"
    )


def _summary(results: Sequence[Result]) -> Table:
    rows = show.table("", "traveler", "outcome", "why", "s")
    for number, result in enumerate(results, 1):
        outcome = show.outcome(result.outcome) if result.outcome is not None else "none"
        rows.add_row(str(number), result.title, outcome, result.why, f"{result.seconds:.1f}")
    return rows


def _where_next(folder: Path) -> Panel:
    return Panel(
        "source .venv/bin/activate    have the borderpost command at hand\n"
        "borderpost up                start the services and leave them running\n"
        "borderpost specimen --help   make a data page with your own portrait\n"
        "borderpost screen --help     screen a traveler\n"
        "borderpost audit --help      query and verify the decision log\n"
        f"{folder}/logs   what the services logged in this demo",
        title="Where to look next",
        title_align="left",
        border_style="dim",
    )
