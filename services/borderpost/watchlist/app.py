"""The use cases: keep lists and entries, and search them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from borderpost.runtime.calibration import Calibration, CalibrationError
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import Clock, new_id
from borderpost.runtime.errors import InvalidRequestError, TemplateInvalidError
from borderpost.runtime.identity import is_same_person
from borderpost.watchlist.domain import (
    Approval,
    ChangeEvent,
    ChangeKind,
    Entry,
    EntryContent,
    ListState,
    ListSummary,
    SearchAnswer,
    SearchQuery,
    Watchlist,
    face_threshold,
)
from borderpost.watchlist.errors import (
    EntryExistsError,
    EntryExpiredError,
    EntryNotFoundError,
    SecondPersonNeededError,
    VersionNotReachedError,
    WatchlistExistsError,
    WatchlistNotFoundError,
)
from borderpost.watchlist.ports import BuildIndex, Change, Store, StoredSummary
from borderpost.watchlist.search import search
from borderpost.watchlist.view import ListView, View, build_view


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries of a list, oldest first, and the place behind which the next page begins; None at the end."""

    entries: tuple[Entry, ...]
    next_after: int | None


class Watchlists:
    """All use cases. Safe to call from several threads at a time.

    The store is the truth, and `_view` a view of it. A change makes the next view before it commits, so that
    nothing is committed that can't be searched, and publishes it after: one assignment. A search takes the
    view once and needs no lock.
    """

    def __init__(
        self, store: Store, build_index: BuildIndex, calibrations: Mapping[str, Calibration], clock: Clock
    ) -> None:
        """Build the view from the store. Raises CalibrationError if a stored model has no calibration."""
        self._store = store
        self._build_index = build_index
        self._calibrations = calibrations
        self._clock = clock
        self._writing = threading.Lock()
        store.scrub()  # an earlier process may have been killed between a removal and this
        self._view = self._load()

    def create_watchlist(self, watchlist: Watchlist, by: Actor, purpose: str) -> ListState:
        """Make a list, or return the one that it is the same as. Raises WatchlistExistsError.

        Names are unique within an authority: people tell lists apart by them.
        """
        with self._writing:
            with self._store.change() as change:
                kept = change.list_state(watchlist.list_id)
                if kept is not None:
                    return _same_list(kept, watchlist)
                base = self._base(change)
                _check_name_is_free(base, watchlist)
                now = self._clock.now()
                change.add_list(watchlist, now)
                state = change.bump(watchlist.list_id, now)
                change.record(_event(ChangeKind.WATCHLIST_CREATED, state, None, by, purpose))
                view = base.with_list(change.version, ListView(state))
            self._view = view
        return state

    def list_watchlists(self) -> Sequence[ListSummary]:
        """All lists by name, with what is on them now."""
        return [self._summary(stored) for stored in self._store.summaries(self._clock.now())]

    def propose_entry(self, content: EntryContent, by: Actor, purpose: str) -> Entry:
        """Keep an entry that waits for approval, or return the one that it is the same as.

        Raises WatchlistNotFoundError, EntryExistsError, TemplateInvalidError (a model without calibration, or
        of another dimension than before), InvalidRequestError (no longer valid).
        """
        with self._writing:
            with self._store.change() as change:
                kept = change.entry(content.entry_id)
                if kept is not None:
                    return _same_entry(kept, content)
                if change.list_state(content.list_id) is None:
                    raise _no_list()
                self._check_models(content, change)
                now = self._clock.now()
                if content.valid_until <= now:
                    raise InvalidRequestError(
                        "entry.valid_until: got a time that is past, want one to come",
                        field="entry.valid_until",
                    )
                base = self._base(change)
                change.add_entry(content, by)
                state = change.bump(content.list_id, now)
                change.record(_event(ChangeKind.ENTRY_PROPOSED, state, content.entry_id, by, purpose))
                view = base.with_list(change.version, _at(base, state))
            self._view = view
        return Entry(content, len(content.templates), by).without_templates()

    def approve_entry(self, entry_id: str, by: Actor, purpose: str) -> Entry:
        """Make an entry searched from now on, if another actor proposed it. An approved one stays as it is.

        Raises EntryNotFoundError, SecondPersonNeededError, EntryExpiredError.
        """
        with self._writing:
            with self._store.change() as change:
                kept = change.entry(entry_id)
                if kept is None:
                    raise _no_entry()
                if kept.approval is not None:
                    return kept.without_templates()
                now = self._clock.now()
                _check_approver(kept, by)
                if kept.content.valid_until <= now:
                    raise EntryExpiredError("entry: its validity has ended: propose it anew under another id")
                base = self._base(change)
                state = change.bump(kept.content.list_id, now)
                approval = Approval(by, state.version)
                change.approve(entry_id, approval)
                change.record(_event(ChangeKind.ENTRY_APPROVED, state, entry_id, by, purpose))
                changed = _at(base, state).with_entries([kept], self._build_index)
                view = base.with_list(change.version, changed)
            self._view = view
        return Entry(kept.content, kept.template_count, kept.proposed_by, approval).without_templates()

    def get_entry(self, entry_id: str) -> Entry:
        """An entry without its templates. Raises EntryNotFoundError."""
        entry = self._store.entry(entry_id)
        if entry is None:
            raise _no_entry()
        return entry

    def list_entries(self, list_id: str, after: int, page_size: int) -> EntryPage:
        """Up to `page_size` entries behind place `after` (0 begins). Raises WatchlistNotFoundError."""
        rows = self._store.entries(list_id, after, page_size + 1)
        if rows is None:
            raise _no_list()
        shown = rows[:page_size]
        return EntryPage(tuple(entry for _, entry in shown), shown[-1][0] if len(rows) > page_size else None)

    def remove_entry(self, entry_id: str, by: Actor, purpose: str) -> int:
        """Remove an entry for good; return its list's version without it. Raises EntryNotFoundError."""
        with self._writing:
            with self._store.change() as change:
                kept = change.entry(entry_id)
                if kept is None:
                    raise _no_entry()
                base = self._base(change)
                state = change.bump(kept.content.list_id, self._clock.now())
                change.remove(entry_id)
                change.record(_event(ChangeKind.ENTRY_REMOVED, state, entry_id, by, purpose))
                view = base.with_list(
                    change.version, _at(base, state).without_entry(entry_id, self._build_index)
                )
            self._view = view
            self._store.scrub()
        return state.version

    def search(self, query: SearchQuery) -> SearchAnswer:
        """All candidates of all lists. Raises VersionNotReachedError."""
        view = self._view
        if view.version < query.min_version:
            raise VersionNotReachedError(
                f"min_version: got {query.min_version}, want at most {view.version}, which is searched here"
            )
        return search(view, query, self._clock.now(), self._calibrations)

    def _load(self) -> View:
        view = build_view(self._store.load(), self._build_index)
        kept = {model.model_id for each in view.lists.values() for model in each.faces}
        if not kept <= self._calibrations.keys():
            missing = ", ".join(sorted(kept - self._calibrations.keys()))
            raise CalibrationError(
                f"watchlist: templates are kept of models without a calibration: {missing}"
            )
        return view

    def _base(self, change: Change) -> View:
        """The view that a change builds on. It is behind the store if an earlier commit's outcome wasn't known."""
        return self._view if self._view.version == change.version else self._load()

    def _check_models(self, content: EntryContent, change: Change) -> None:
        for place, template in enumerate(content.templates):
            field, model = f"entry.templates[{place}]", template.model
            if model.model_id not in self._calibrations:
                raise TemplateInvalidError(
                    f"{field}.model_id: got a model without a calibration, want one of: "
                    f"{', '.join(sorted(self._calibrations))}",
                    field=field,
                )
            kept = change.dimension(model.model_id)
            if kept is not None and kept != model.dimension:
                raise TemplateInvalidError(
                    f"{field}.dimension: got {model.dimension}, want {kept} as the model's others",
                    field=field,
                )

    def _summary(self, stored: StoredSummary) -> ListSummary:
        fpir = stored.state.watchlist.target_fpir
        thresholds = tuple(
            face_threshold(self._calibrations[model.model_id], fpir, count, probes=1)
            for model, count in stored.templates
        )
        return ListSummary(stored.state, stored.active_entries, stored.proposed_entries, thresholds)


def _at(base: View, state: ListState) -> ListView:
    """The list as it is in `base`, at its new version."""
    return base.lists[state.watchlist.list_id].at(state)


def _event(kind: ChangeKind, state: ListState, entry_id: str | None, by: Actor, purpose: str) -> ChangeEvent:
    return ChangeEvent(
        event_id=new_id(),
        kind=kind,
        time=state.changed_at,
        actor=by,
        purpose=purpose,
        list_id=state.watchlist.list_id,
        entry_id=entry_id,
        version=state.version,
    )


def _same_list(kept: ListState, asked: Watchlist) -> ListState:
    if kept.watchlist != asked:
        raise WatchlistExistsError("watchlist: got an id that a list with other content has, want a new id")
    return kept


def _check_name_is_free(base: View, asked: Watchlist) -> None:
    kept = (view.state.watchlist for view in base.lists.values())
    if any((each.authority, each.name) == (asked.authority, asked.name) for each in kept):
        raise WatchlistExistsError("watchlist.name: the authority has a list of this name, want another name")


def _same_entry(kept: Entry, asked: EntryContent) -> Entry:
    if kept.content != asked:
        raise EntryExistsError("entry: got an id that an entry with other content has, want a new id")
    return kept.without_templates()


def _check_approver(kept: Entry, by: Actor) -> None:
    if is_same_person(kept.proposed_by, by):
        raise SecondPersonNeededError("entry: got the approval of who proposed it, want another person's")


def _no_list() -> WatchlistNotFoundError:
    return WatchlistNotFoundError(
        "list_id: got one that no list has, want the id of a list (`borderpost watchlist list`)"
    )


def _no_entry() -> EntryNotFoundError:
    return EntryNotFoundError(
        "entry_id: got one that no entry has, want the id of an entry; it may have been removed"
    )
