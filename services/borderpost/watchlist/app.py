"""The use cases of lists, entries and searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from borderpost.runtime.calls import Actor
from borderpost.runtime.errors import InvalidRequestError, PurposeMissingError, TemplateInvalidError
from borderpost.runtime.identity import is_same_person
from borderpost.watchlist import events
from borderpost.watchlist.domain import (
    Approval,
    Caller,
    Entry,
    EntryContent,
    ListState,
    ListStatistics,
    ListSummary,
    SearchAnswer,
    SearchQuery,
    SuppressionState,
    Watchlist,
    microseconds,
)
from borderpost.watchlist.errors import (
    EntryExistsError,
    EntryExpiredError,
    EntryNotFoundError,
    EntryWithdrawnError,
    ImportNotFinishedError,
    ListNotPermittedError,
    SecondPersonNeededError,
    TooManyListsError,
    WatchlistExistsError,
    WatchlistNotFoundError,
)
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.ports import NewEntry, Reading, StoredSummary
from borderpost.watchlist.search import Meaning, Seal, may_use, name_threshold, search
from borderpost.watchlist.templates import Model, Template, digest
from borderpost.watchlist.thresholds import face_threshold

MOST_LISTS: Final = 200
"""Every screening's record names every list that was searched, and nobody owns so many."""

SWEEP: Final = 500
"""Ended entries that are removed in one change."""


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries of a list, oldest first, and the place behind which the next page begins; None at the end."""

    entries: tuple[Entry, ...]
    next_after: int | None


class Watchlists:
    """All use cases of lists, entries and searches. Safe to call from several threads at a time.

    Every one raises ListNotPermittedError for a list that the caller's scopes don't open, and UnavailableError while
    the store is away.
    """

    def __init__(self, keeper: Keeper, meaning: Meaning, seal: Seal, most_lists: int = MOST_LISTS) -> None:
        self._keeper = keeper
        self._meaning = meaning
        self._seal = seal
        self._most_lists = most_lists

    def create_watchlist(self, watchlist: Watchlist, by: Caller) -> ListState:
        """Make a list, or return the one that it is the same as. Raises WatchlistExistsError.

        Names are unique within an authority: people tell lists apart by them.
        """
        check_may_use(watchlist, by)
        with self._keeper.change() as change:
            kept = change.list_state(watchlist.list_id)
            if kept is not None:
                return _same_list(kept, watchlist)
            _check_name_is_free(change, watchlist)
            if len(change.lists()) >= self._most_lists:
                raise TooManyListsError(
                    f"watchlist: got one more than the {self._most_lists} lists that there may be "
                    "(setting watchlist.most_lists)"
                )
            change.put_list(watchlist, self._now())
            state = change.bump(watchlist.list_id, self._now())
            change.record(events.watchlist_created(by, state))
        return state

    def change_watchlist(self, watchlist: Watchlist, by: Caller) -> ListState:
        """Change what is said of a list. Raises WatchlistNotFoundError, WatchlistExistsError, InvalidRequestError."""
        with self._keeper.change() as change:
            kept = the_list(change, watchlist.list_id, by)
            if kept.watchlist == watchlist:
                return kept
            if kept.watchlist.authority != watchlist.authority:
                raise InvalidRequestError(
                    "watchlist.authority: got another than the list's, want the same: a list stays its authority's",
                    field="watchlist.authority",
                )
            _check_name_is_free(change, watchlist)
            change.put_list(watchlist, self._now())
            state = change.bump(watchlist.list_id, self._now())
            change.record(events.watchlist_described(by, state, kept.watchlist))
        return state

    def list_watchlists(self, by: Caller) -> Sequence[ListSummary]:
        """All lists that the caller may see, by name, with what is on them now."""
        now = self._now()
        with self._keeper.read() as reading:
            stored = reading.summaries(now)
        return [self._summary(each) for each in stored if may_use(each.state.watchlist, by.scopes)]

    def statistics(self, list_id: str, by: Caller) -> ListStatistics:
        """Everything about the state of a list. Raises WatchlistNotFoundError."""
        now = self._now()
        with self._keeper.read() as reading:
            the_list(reading, list_id, by)
            stored = next(each for each in reading.summaries(now) if _id(each.state) == list_id)
        view = self._keeper.view
        each, at = view.of(stored.state), microseconds(now)
        active = [
            suppression
            for entry_id, group in each.suppressions.items()
            for suppression in group
            if suppression.state(now, digest(each.templates_of(entry_id))) is SuppressionState.ACTIVE
        ]
        return ListStatistics(
            self._summary(stored),
            tuple(own for own in each.measured.values() if own.own.model_id in self._meaning.faces),
            name_threshold(each, at, self._meaning.names),
            each.names_searched(at),
            sum(block.counts(at).documents for block in each.blocks),
            len(active),
            len(each.blocks),
            sum(block.tombstones for block in each.blocks),
            view.version,
            self._keeper.as_of,
        )

    def propose_entry(self, content: EntryContent, by: Caller) -> Entry:
        """Keep an entry that waits for approval, or return the one that it is the same as.

        An id is never taken twice: what a second person has seen under it is what they approve.

        Raises WatchlistNotFoundError, EntryExistsError, TemplateInvalidError (a model without calibration, or
        of another dimension than before), InvalidRequestError (no longer valid).
        """
        with self._keeper.change() as change:
            the_list(change, content.list_id, by)
            kept = change.entry(content.entry_id, whole=True)
            if kept is not None:
                return _same_entry(kept, content)
            if change.was_used(content.entry_id):
                raise EntryExistsError("entry: got the id of an entry that was removed, want a new id")
            self.check_content(content, change, "entry")
            change.add_entries([NewEntry(content, by.actor)])
            state = change.bump(content.list_id, self._now())
            change.record(events.entry_proposed(by, state, content.entry_id))
        return Entry(content, len(content.templates), by.actor, picture_count=len(content.pictures)).shown()

    def check_content(self, content: EntryContent, reading: Reading, field: str) -> None:
        """Raise TemplateInvalidError or InvalidRequestError for an entry that can't be searched here."""
        for place, template in enumerate(content.templates):
            self._check_model(template.model, reading, f"{field}.templates[{place}]")
        if content.valid_until <= self._now():
            raise InvalidRequestError(
                f"{field}.valid_until: got a time that is past, want one to come",
                field=f"{field}.valid_until",
            )

    def approve_entry(self, entry_id: str, by: Caller) -> Entry:
        """Make an entry searched from now on, if another person proposed it. An approved one stays as it is.

        Raises EntryNotFoundError, SecondPersonNeededError, EntryExpiredError, EntryWithdrawnError,
        ImportNotFinishedError.
        """
        with self._keeper.change() as change:
            kept = the_entry(change, entry_id, by)
            if kept.approval is not None and kept.withdrawn_at is None:
                return kept
            self._check_approval(kept, by)
            state = change.bump(kept.content.list_id, self._now())
            approval = Approval(by.actor, state.version)
            change.approve([entry_id], approval)
            change.record(events.entry_approved(by, state, entry_id))
        return replace(kept, approval=approval)

    def withdraw_entry(self, entry_id: str, by: Caller) -> tuple[Entry, int]:
        """Search an entry no longer; return it and the list's version without it. Raises EntryNotFoundError."""
        with self._keeper.change() as change:
            kept = the_entry(change, entry_id, by)
            if kept.withdrawn_at is not None:
                return kept, the_list(change, kept.content.list_id, by).version
            now = self._now()
            state = change.bump(kept.content.list_id, now)
            change.withdraw(entry_id, now)
            change.record(events.entry_withdrawn(by, state, entry_id))
        return replace(kept, withdrawn_at=now), state.version

    def remove_entry(self, entry_id: str, by: Caller) -> int:
        """Remove an entry for good; return its list's version without it. Raises EntryNotFoundError."""
        with self._keeper.change() as change:
            kept = the_entry(change, entry_id, by)
            state = change.bump(kept.content.list_id, self._now())
            change.remove([entry_id])
            change.record(events.entry_removed(by, state, entry_id, events.REQUEST))
        self._keeper.store.scrub()
        return state.version

    def remove_ended(self, by: Caller) -> int:
        """Remove the entries whose retention has passed since their end, some hundreds at most; return how many."""
        with self._keeper.read() as reading:
            ended = reading.ended(self._now(), SWEEP)
        if not ended:
            return 0
        with self._keeper.change() as change:
            # Looked for again: what was removed meanwhile, and what was put on a longer retention, is left out.
            ended = change.ended(self._now(), SWEEP)
            for list_id in sorted({each.content.list_id for each in ended}):
                state = change.bump(list_id, self._now())
                own = [each.content.entry_id for each in ended if each.content.list_id == list_id]
                change.remove(own)
                for entry_id in own:
                    change.record(events.entry_removed(by, state, entry_id, events.RETENTION))
        self._keeper.store.scrub()
        return len(ended)

    def add_templates(self, entry_id: str, templates: Sequence[Template], by: Caller) -> tuple[Entry, int]:
        """Add templates of a model that an entry has none of; return it and the version of its list with them.

        Raises EntryNotFoundError, TemplateInvalidError.
        """
        with self._keeper.change() as change:
            kept = the_entry(change, entry_id, by, whole=True)
            model = templates[0].model
            if any(template.model.model_id == model.model_id for template in kept.content.templates):
                return kept.shown(), the_list(change, kept.content.list_id, by).version
            self._check_model(model, change, "templates[0]")
            state = change.bump(kept.content.list_id, self._now())
            change.add_templates(entry_id, templates)
            change.record(events.templates_added(by, state, entry_id))
        return replace(kept, template_count=kept.template_count + len(templates)).shown(), state.version

    def get_entry(self, entry_id: str, by: Caller) -> Entry:
        """An entry, to be shown. Raises EntryNotFoundError."""
        with self._keeper.read() as reading:
            return the_entry(reading, entry_id, by)

    def pictures(self, entry_id: str, by: Caller) -> tuple[bytes, ...]:
        """An entry's pictures; that they were shown is recorded. Raises EntryNotFoundError, PurposeMissingError."""
        check_purpose(by)
        with self._keeper.change() as change:
            kept = the_entry(change, entry_id, by, whole=True)
            state = the_list(change, kept.content.list_id, by)
            change.record(events.pictures_shown(by, self._now(), state, entry_id))
        return kept.content.pictures

    def list_entries(
        self, list_id: str, after: int, page_size: int, by: Caller, *, proposed: bool = False
    ) -> EntryPage:
        """Up to `page_size` entries behind place `after` (0 begins); those alone that wait for a second person, if
        `proposed`. Raises WatchlistNotFoundError."""
        with self._keeper.read() as reading:
            the_list(reading, list_id, by)
            found = reading.entries(list_id, after, page_size + 1, proposed=proposed)
            return page_of(found, page_size)

    def without_model(self, list_id: str, model_id: str, after: int, page_size: int, by: Caller) -> EntryPage:
        """Entries with a face and without a template of a model, whole. Raises WatchlistNotFoundError."""
        with self._keeper.read() as reading:
            the_list(reading, list_id, by)
            return page_of(reading.without_model(list_id, model_id, after, page_size + 1), page_size)

    def search(self, queries: Sequence[SearchQuery]) -> list[SearchAnswer]:
        """All candidates of all lists that each query may search, of one version. Raises NotReadyError."""
        as_of = self._keeper.as_of
        view = self._keeper.view
        return search(view, queries, self._now(), as_of, self._meaning, self._seal)

    def note_search(self, answer: SearchAnswer, by: Caller) -> None:
        """Record that a person searched. Raises PurposeMissingError."""
        check_purpose(by)
        with self._keeper.change() as change:
            change.record(events.searched(by, self._now(), answer))

    def _now(self) -> datetime:
        return self._keeper.clock.now()

    def _check_model(self, model: Model, reading: Reading, field: str) -> None:
        if model.model_id not in self._meaning.faces:
            raise TemplateInvalidError(
                f"{field}.model_id: got a model without a calibration, want one of: "
                f"{', '.join(sorted(self._meaning.faces))}",
                field=field,
            )
        kept = reading.dimension(model.model_id)
        if kept is not None and kept != model.dimension:
            raise TemplateInvalidError(
                f"{field}.dimension: got {model.dimension}, want {kept} as the model's others", field=field
            )

    def _check_approval(self, kept: Entry, by: Caller) -> None:
        if kept.withdrawn_at is not None:
            raise EntryWithdrawnError("entry: it was withdrawn: propose it anew under another id")
        if kept.pending_import is not None:
            raise ImportNotFinishedError(
                "entry: it belongs to an import, want the import approved (`borderpost watchlist import-approve`)"
            )
        check_second_person(kept.proposed_by, by)
        if kept.content.valid_until <= self._now():
            raise EntryExpiredError("entry: its validity has ended: propose it anew under another id")

    def _summary(self, stored: StoredSummary) -> ListSummary:
        each = self._keeper.view.of(stored.state)
        at, fpir = microseconds(self._now()), stored.state.watchlist.target_fpir
        thresholds = tuple(
            face_threshold(
                self._meaning.faces[model.model_id],
                fpir,
                each.templates_searched(model, at),
                each.faces_searched(model, at),
                1,
                each.measured[model.model_id].own if model.model_id in each.measured else None,
            )
            for model in each.models()
        )
        return ListSummary(
            stored.state, stored.active_entries, stored.proposed_entries, stored.ended_entries, thresholds
        )


def the_list(reading: Reading, list_id: str, by: Caller) -> ListState:
    """A list that the caller may use. Raises WatchlistNotFoundError, ListNotPermittedError."""
    state = reading.list_state(list_id)
    if state is None:
        raise WatchlistNotFoundError(
            "list_id: got one that no list has, want the id of a list (`borderpost watchlist lists`)"
        )
    check_may_use(state.watchlist, by)
    return state


def the_entry(reading: Reading, entry_id: str, by: Caller, *, whole: bool = False) -> Entry:
    """An entry of a list that the caller may use. Raises EntryNotFoundError, ListNotPermittedError."""
    entry = reading.entry(entry_id, whole=whole)
    if entry is None:
        raise EntryNotFoundError(
            "entry_id: got one that no entry has, want the id of an entry; it may have been removed"
        )
    the_list(reading, entry.content.list_id, by)
    return entry


def check_may_use(watchlist: Watchlist, by: Caller) -> None:
    """Raise ListNotPermittedError if the caller's scopes don't open a list."""
    if not may_use(watchlist, by.scopes):
        raise ListNotPermittedError("list_id: got a list that your scopes don't name, want one of yours")


def check_purpose(by: Caller) -> None:
    """Raise PurposeMissingError if the caller gave no reason: personal data needs one on record."""
    if not by.purpose.strip():
        raise PurposeMissingError(
            "purpose: got none, want the reason for looking (CLI: --purpose 'case 4711')"
        )


def check_second_person(first: Actor, by: Caller) -> None:
    """Raise SecondPersonNeededError if the caller is who proposed it."""
    if is_same_person(first, by.actor):
        raise SecondPersonNeededError("entry: got the approval of who proposed it, want another person's")


def page_of(rows: Sequence[tuple[int, Entry]], page_size: int) -> EntryPage:
    """A page of rows of which one more than the page holds was asked for."""
    shown = rows[:page_size]
    return EntryPage(tuple(entry for _, entry in shown), shown[-1][0] if len(rows) > page_size else None)


def _id(state: ListState) -> str:
    return state.watchlist.list_id


def _same_list(kept: ListState, asked: Watchlist) -> ListState:
    if kept.watchlist != asked:
        raise WatchlistExistsError("watchlist: got an id that a list with other content has, want a new id")
    return kept


def _check_name_is_free(reading: Reading, asked: Watchlist) -> None:
    others = (state.watchlist for state in reading.lists() if _id(state) != asked.list_id)
    if any((each.authority, each.name) == (asked.authority, asked.name) for each in others):
        raise WatchlistExistsError("watchlist.name: the authority has a list of this name, want another name")


def _same_entry(kept: Entry, asked: EntryContent) -> Entry:
    if kept.content != asked:
        raise EntryExistsError("entry: got an id that an entry with other content has, want a new id")
    return kept.shown()
