"""The watchlist service on the wire: validates, translates, and leaves the rest to the use cases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from borderpost.runtime import calls
from borderpost.runtime.calls import Role
from borderpost.runtime.clock import Clock, from_timestamp
from borderpost.runtime.context import seconds_left
from borderpost.runtime.identity import kiosk_of
from borderpost.runtime.pool import WorkPool
from borderpost.v1 import watchlist_pb2 as pb
from borderpost.v1.watchlist_pb2_grpc import WatchlistServiceServicer
from borderpost.watchlist import validate, wire
from borderpost.watchlist.app import EntryPage, Watchlists, check_purpose
from borderpost.watchlist.coalescing import Coalescer
from borderpost.watchlist.domain import (
    Caller,
    EntryContent,
    Import,
    RowError,
    SearchAnswer,
    SearchQuery,
    Suppression,
)
from borderpost.watchlist.exporting import Exporting
from borderpost.watchlist.importing import Importing
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.measuring import Measuring
from borderpost.watchlist.receiving import Receiving
from borderpost.watchlist.search import Meaning
from borderpost.watchlist.suppressing import Suppressing
from borderpost.watchlist.taking import BundleTaking
from borderpost.watchlist.tokens import make_page_token, parse_page_token

DEFAULT_PAGE_SIZE: Final = 100
MIGRATED_AT_ONCE: Final = 20
ERRORS_PAGE: Final = 500
"""As in watchlist.proto."""

LONGEST_WAIT_SECONDS: Final = 5.0
"""For `min_version`, if half of the caller's time is not shorter."""

MOST_REACHING: Final = 32
"""Calls that wait for a version at the same time."""

WAITING_SECONDS: Final = 0.01
"""How often a call that waits for a version looks."""


@dataclass(frozen=True, slots=True)
class UseCases:
    """All that the service can do."""

    keeper: Keeper
    meaning: Meaning
    watchlists: Watchlists
    measuring: Measuring
    suppressing: Suppressing
    importing: Importing
    exporting: Exporting
    receiving: Receiving
    taking: BundleTaking


class WatchlistServicer(WatchlistServiceServicer):
    """Handlers of WatchlistService; watchlist.proto is their specification."""

    def __init__(self, use: UseCases, pool: WorkPool, clock: Clock) -> None:
        self._use = use
        self._pool = pool
        self._clock = clock
        self._searches: Coalescer[SearchQuery, SearchAnswer] = Coalescer(use.watchlists.search)
        self._reaching = 0

    # Lists

    async def CreateWatchlist(
        self, request: pb.CreateWatchlistRequest, context: Any
    ) -> pb.CreateWatchlistResponse:
        """Make a list."""
        validate.check_create_watchlist(request)
        asked = wire.from_watchlist(request.watchlist)
        state = await self._pool.run(self._use.watchlists.create_watchlist, asked, _caller())
        return pb.CreateWatchlistResponse(watchlist=wire.to_watchlist(state.watchlist))

    async def ChangeWatchlist(
        self, request: pb.ChangeWatchlistRequest, context: Any
    ) -> pb.ChangeWatchlistResponse:
        """Change what is said of a list."""
        validate.check_change_watchlist(request)
        asked = wire.from_watchlist(request.watchlist)
        state = await self._pool.run(self._use.watchlists.change_watchlist, asked, _caller())
        return pb.ChangeWatchlistResponse(watchlist=wire.to_watchlist(state.watchlist), version=state.version)

    async def ListWatchlists(
        self, request: pb.ListWatchlistsRequest, context: Any
    ) -> pb.ListWatchlistsResponse:
        """List all lists."""
        summaries = await self._pool.run(self._use.watchlists.list_watchlists, _caller())
        return pb.ListWatchlistsResponse(watchlists=map(wire.to_status, summaries))

    async def GetStatistics(self, request: pb.GetStatisticsRequest, context: Any) -> pb.GetStatisticsResponse:
        """Tell everything about the state of a list."""
        validate.check_list_id(request)
        statistics = await self._pool.run(self._use.watchlists.statistics, request.list_id, _caller())
        return wire.to_statistics(statistics, self._use.meaning.faces)

    async def MeasureWatchlist(
        self, request: pb.MeasureWatchlistRequest, context: Any
    ) -> pb.MeasureWatchlistResponse:
        """Measure a list."""
        validate.check_list_id(request)
        found, version = await self._pool.run(self._use.measuring.measure, request.list_id, _caller())
        faces = self._use.meaning.faces
        return pb.MeasureWatchlistResponse(
            own_scores=[wire.to_measured(each, faces[each.own.model_id]) for each in found], version=version
        )

    # Entries

    async def ProposeEntry(self, request: pb.ProposeEntryRequest, context: Any) -> pb.ProposeEntryResponse:
        """Propose an entry."""
        validate.check_propose_entry(request)
        content = wire.from_content(request.entry)
        entry = await self._pool.run(self._use.watchlists.propose_entry, content, _caller())
        return pb.ProposeEntryResponse(entry=wire.to_entry(entry, self._clock.now()))

    async def ApproveEntry(self, request: pb.ApproveEntryRequest, context: Any) -> pb.ApproveEntryResponse:
        """Approve an entry."""
        validate.check_entry_id(request)
        entry = await self._pool.run(self._use.watchlists.approve_entry, request.entry_id, _caller())
        version = entry.approval.version if entry.approval else 0
        return pb.ApproveEntryResponse(entry=wire.to_entry(entry, self._clock.now()), version=version)

    async def WithdrawEntry(self, request: pb.WithdrawEntryRequest, context: Any) -> pb.WithdrawEntryResponse:
        """Withdraw an entry."""
        validate.check_entry_id(request)
        withdraw = self._use.watchlists.withdraw_entry
        entry, version = await self._pool.run(withdraw, request.entry_id, _caller())
        return pb.WithdrawEntryResponse(entry=wire.to_entry(entry, self._clock.now()), version=version)

    async def GetEntry(self, request: pb.GetEntryRequest, context: Any) -> pb.GetEntryResponse:
        """Get one entry."""
        validate.check_entry_id(request)
        entry = await self._pool.run(self._use.watchlists.get_entry, request.entry_id, _caller())
        return pb.GetEntryResponse(entry=wire.to_entry(entry, self._clock.now()))

    async def GetPictures(self, request: pb.GetPicturesRequest, context: Any) -> pb.GetPicturesResponse:
        """Get the pictures of an entry."""
        validate.check_entry_id(request)
        pictures = await self._pool.run(self._use.watchlists.pictures, request.entry_id, _caller())
        return pb.GetPicturesResponse(pictures=pictures)

    async def ListEntries(self, request: pb.ListEntriesRequest, context: Any) -> pb.ListEntriesResponse:
        """List a page of entries."""
        validate.check_list_entries(request)
        after, size = parse_page_token(request.page_token), request.page_size or DEFAULT_PAGE_SIZE
        listed = partial(self._use.watchlists.list_entries, proposed=request.proposed)
        page = await self._pool.run(listed, request.list_id, after, size, _caller())
        return pb.ListEntriesResponse(
            entries=self._shown(page), next_page_token=make_page_token(page.next_after)
        )

    async def RemoveEntry(self, request: pb.RemoveEntryRequest, context: Any) -> pb.RemoveEntryResponse:
        """Remove an entry for good."""
        validate.check_entry_id(request)
        version = await self._pool.run(self._use.watchlists.remove_entry, request.entry_id, _caller())
        return pb.RemoveEntryResponse(version=version)

    async def AddTemplates(self, request: pb.AddTemplatesRequest, context: Any) -> pb.AddTemplatesResponse:
        """Add templates of a model to an entry."""
        validate.check_add_templates(request)
        templates = tuple(map(wire.from_template, request.templates))
        add = self._use.watchlists.add_templates
        entry, version = await self._pool.run(add, request.entry_id, templates, _caller())
        return pb.AddTemplatesResponse(entry=wire.to_entry(entry, self._clock.now()), version=version)

    async def ListWithoutModel(
        self, request: pb.ListWithoutModelRequest, context: Any
    ) -> pb.ListWithoutModelResponse:
        """List entries that have no template of a model, with their pictures."""
        validate.check_list_without_model(request)
        page = await self._pool.run(
            self._use.watchlists.without_model,
            request.list_id,
            request.model_id,
            parse_page_token(request.page_token),
            request.page_size or MIGRATED_AT_ONCE,
            _caller(),
        )
        return pb.ListWithoutModelResponse(
            entries=[
                pb.EntryPictures(entry_id=entry.content.entry_id, pictures=entry.content.pictures)
                for entry in page.entries
            ],
            next_page_token=make_page_token(page.next_after),
        )

    # Searches

    async def Search(self, request: pb.SearchRequest, context: Any) -> pb.SearchResponse:
        """Search all lists that the caller may search."""
        validate.check_search(request)
        call, by = calls.current(), _caller()
        is_kiosk = Role.KIOSK in call.roles
        if not is_kiosk:
            check_purpose(by)
        await self._reach(request.min_version, seconds_left(context, 2 * LONGEST_WAIT_SECONDS) / 2)
        crossing = kiosk_of(call.actor)[1] if is_kiosk else None
        answer = await self._searches.ask(wire.from_search(request, crossing, by.scopes))
        if not is_kiosk:
            await self._pool.run(self._use.watchlists.note_search, answer, by)
        return wire.to_answer(answer, self._use.meaning.names)

    async def _reach(self, version: int, seconds: float) -> None:
        """Wait until the view is of this version, if that takes no longer. Raises VersionNotReachedError."""
        loop = asyncio.get_running_loop()
        # More than so many would hold places that searches need: they are told at once.
        until = loop.time() + (seconds if self._reaching < MOST_REACHING else 0.0)
        self._reaching += 1
        try:
            while self._use.keeper.view.version < version and loop.time() < until:  # noqa: ASYNC110  # threads publish
                await asyncio.sleep(WAITING_SECONDS)
        finally:
            self._reaching -= 1
        self._use.keeper.check_reached(version)

    # Suppressions

    async def ProposeSuppression(
        self, request: pb.ProposeSuppressionRequest, context: Any
    ) -> pb.ProposeSuppressionResponse:
        """Suppress a pair, or propose it."""
        validate.check_propose_suppression(request, self._clock.now())
        suppression = await self._pool.run(
            self._use.suppressing.propose,
            request.suppression_id,
            request.pair,
            request.reason,
            from_timestamp(request.expires_at),
            _caller(),
        )
        return pb.ProposeSuppressionResponse(suppression=self._suppression(suppression))

    async def ConfirmSuppression(
        self, request: pb.ConfirmSuppressionRequest, context: Any
    ) -> pb.ConfirmSuppressionResponse:
        """Confirm a suppression."""
        validate.check_suppression_id(request)
        kept = await self._pool.run(self._use.suppressing.confirm, request.suppression_id, _caller())
        return pb.ConfirmSuppressionResponse(suppression=self._suppression(kept))

    async def RevokeSuppression(
        self, request: pb.RevokeSuppressionRequest, context: Any
    ) -> pb.RevokeSuppressionResponse:
        """Revoke a suppression."""
        validate.check_suppression_id(request)
        kept = await self._pool.run(self._use.suppressing.revoke, request.suppression_id, _caller())
        return pb.RevokeSuppressionResponse(suppression=self._suppression(kept))

    async def ListSuppressions(
        self, request: pb.ListSuppressionsRequest, context: Any
    ) -> pb.ListSuppressionsResponse:
        """List a page of suppressions."""
        validate.check_list_suppressions(request)
        found, before = await self._pool.run(
            self._use.suppressing.listed,
            request.list_id,
            request.entry_id or None,
            parse_page_token(request.page_token) or None,
            request.page_size or DEFAULT_PAGE_SIZE,
            _caller(),
        )
        return pb.ListSuppressionsResponse(
            suppressions=map(self._suppression, found), next_page_token=make_page_token(before)
        )

    # Imports

    async def BeginImport(self, request: pb.BeginImportRequest, context: Any) -> pb.BeginImportResponse:
        """Begin an import."""
        validate.check_begin_import(request)
        by = _caller()
        if request.bundle_id:
            begun = await self._pool.run(
                self._use.taking.begin,
                request.import_id,
                request.list_id,
                request.bundle_id,
                request.complete,
                by,
            )
        else:
            self._use.receiving.check_no_partner(request.source)
            asked = Import(
                import_id=request.import_id,
                list_id=request.list_id,
                source=request.source,
                content_sha256=request.content_sha256,
                complete=request.complete,
                rows=request.rows,
                proposed_by=by.actor,
            )
            begun = await self._pool.run(self._use.importing.begin, asked, by)
        return pb.BeginImportResponse(**{"import": wire.to_import(begun)})

    async def StageRows(self, request: pb.StageRowsRequest, context: Any) -> pb.StageRowsResponse:
        """Take rows of an import."""
        validate.check_stage_rows(request)
        kept, errors = await self._pool.run(self._stage, request, _caller())
        return pb.StageRowsResponse(errors=map(wire.to_row_error, errors), **{"import": wire.to_import(kept)})

    def _stage(self, request: pb.StageRowsRequest, by: Caller) -> tuple[Import, Iterable[RowError]]:
        return self._use.importing.stage(request.import_id, [row_of(row) for row in request.rows], by)

    async def FinishImport(self, request: pb.FinishImportRequest, context: Any) -> pb.FinishImportResponse:
        """Finish an import."""
        validate.check_import_id(request)
        kept = await self._pool.run(
            self._use.importing.finish,
            request.import_id,
            _caller(),
            skip_errors=request.skip_errors,
            dry_run=request.dry_run,
        )
        return pb.FinishImportResponse(**{"import": wire.to_import(kept)})

    async def ApproveImport(self, request: pb.ApproveImportRequest, context: Any) -> pb.ApproveImportResponse:
        """Apply an import."""
        validate.check_import_id(request)
        kept = await self._pool.run(self._use.importing.approve, request.import_id, _caller())
        return pb.ApproveImportResponse(**{"import": wire.to_import(kept)})

    async def CancelImport(self, request: pb.CancelImportRequest, context: Any) -> pb.CancelImportResponse:
        """Drop an import."""
        validate.check_import_id(request)
        kept = await self._pool.run(self._use.importing.cancel, request.import_id, _caller())
        return pb.CancelImportResponse(**{"import": wire.to_import(kept)})

    async def GetImport(self, request: pb.GetImportRequest, context: Any) -> pb.GetImportResponse:
        """Get an import and a page of its rows in error."""
        validate.check_get_import(request)
        after = parse_page_token(request.page_token)
        kept, errors, following = await self._pool.run(
            self._use.importing.get, request.import_id, after, ERRORS_PAGE, _caller()
        )
        return pb.GetImportResponse(
            errors=map(wire.to_row_error, errors),
            next_page_token=make_page_token(following),
            **{"import": wire.to_import(kept)},
        )

    async def ListImports(self, request: pb.ListImportsRequest, context: Any) -> pb.ListImportsResponse:
        """List the open imports of a list."""
        validate.check_list_imports(request)
        kept = await self._pool.run(self._use.importing.open_of, request.list_id, _caller())
        return pb.ListImportsResponse(imports=map(wire.to_import, kept))

    # Exports

    async def ExportEntries(self, request: pb.ExportEntriesRequest, context: Any) -> pb.ExportEntriesResponse:
        """Export a page of entries."""
        validate.check_export_entries(request)
        after = parse_page_token(request.page_token)
        page, version = await self._pool.run(self._use.exporting.page, request.list_id, after, _caller())
        return pb.ExportEntriesResponse(
            entries=self._shown(page), next_page_token=make_page_token(page.next_after), version=version
        )

    async def MakeBundle(self, request: pb.MakeBundleRequest, context: Any) -> pb.MakeBundleResponse:
        """Make a bundle for a partner."""
        validate.check_make_bundle(request)
        bundle = await self._pool.run(
            self._use.exporting.make_bundle,
            request.list_id,
            request.partner,
            request.with_pictures,
            _caller(),
        )
        return pb.MakeBundleResponse(
            bundle_id=bundle.bundle_id,
            size=bundle.info.size,
            sha256=bundle.info.sha256,
            entries=bundle.info.rows,
            version=bundle.state.version,
        )

    async def ReadBundle(self, request: pb.ReadBundleRequest, context: Any) -> pb.ReadBundleResponse:
        """Read a part of a bundle."""
        validate.check_bundle_id(request)
        read = self._use.exporting.read_bundle
        content = await self._pool.run(read, request.bundle_id, request.offset, _caller())
        return pb.ReadBundleResponse(content=content)

    async def WriteBundle(self, request: pb.WriteBundleRequest, context: Any) -> pb.WriteBundleResponse:
        """Write a part of a bundle, and open it after its last."""
        validate.check_write_bundle(request)
        by = _caller()
        offset = await self._pool.run(
            self._use.receiving.write, request.bundle_id, request.offset, request.content, by
        )
        if not request.last:
            return pb.WriteBundleResponse(offset=offset)
        received = await self._pool.run(self._use.receiving.check, request.bundle_id, by)
        opened = received.opened
        return pb.WriteBundleResponse(offset=offset, partner=opened.partner.name, rows=opened.rows)

    def _shown(self, page: EntryPage) -> list[pb.Entry]:
        now = self._clock.now()
        return [wire.to_entry(entry, now) for entry in page.entries]

    def _suppression(self, suppression: Suppression) -> pb.Suppression:
        return wire.to_suppression(suppression, self._use.suppressing.state(suppression))


def row_of(row: pb.ImportRow) -> tuple[int, str, EntryContent | RowError]:
    """A row's number, its record, and what is said of it or why that can't be used."""
    error = validate.row_error(row)
    return row.row, row.record_id, wire.from_content(row.entry) if error is None else error


def _caller() -> Caller:
    call = calls.current()
    return Caller(call.actor, call.purpose, call.scopes)
