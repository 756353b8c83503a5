"""Samples of what the watchlist's store keeps: lists, entries with everything in them, suppressions, imports."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import new_id
from borderpost.watchlist.domain import (
    Category,
    EntryContent,
    Import,
    Provenance,
    Suppression,
    Watchlist,
)
from borderpost.watchlist.persons import UNKNOWN_DATE, DocumentKey, PartialDate, PersonName
from borderpost.watchlist.ports import NewEntry, StagedRow
from borderpost.watchlist.templates import Model, Template, digest

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ANNA = Actor("borderpost.test", "anna")
BEN = Actor("borderpost.test", "ben")
SMALL = Model("small-model", 4)
LARGE = Model("large-model", 16)

_seeds = itertools.count()


def a_template(model: Model = SMALL) -> Template:
    """A template that no other is the same as."""
    values = np.random.default_rng(next(_seeds)).standard_normal(model.dimension)
    return Template(model, (values / np.linalg.norm(values)).astype("<f4").tobytes())


def a_list(**changes: Any) -> Watchlist:
    list_id = new_id()
    watchlist = Watchlist(
        list_id=list_id,
        name=f"Wanted persons {list_id}",
        authority="Ministry of the Interior",
        legal_basis="Border Act, s. 12",
        category=Category.WANTED,
        priority=2,
        handling_instruction="Call the shift leader.",
        target_fpir=0.01,
        name_target_fpir=0.02,
    )
    return replace(watchlist, **changes)


def an_entry(list_id: str, **changes: Any) -> EntryContent:
    """An entry with one template and nothing else."""
    content = EntryContent(
        entry_id=new_id(),
        list_id=list_id,
        templates=(a_template(),),
        names=(),
        birth_date=UNKNOWN_DATE,
        documents=(),
        reason_code="R1",
        source_reference="case 4711",
        valid_from=None,
        valid_until=NOW + 365 * DAY,
    )
    return replace(content, **changes)


def a_full_entry(list_id: str, **changes: Any) -> EntryContent:
    """An entry with everything that one can have."""
    full = an_entry(
        list_id,
        templates=(a_template(SMALL), a_template(LARGE), a_template(LARGE), a_template(SMALL)),
        names=(PersonName("ERIKSSON", "ANNA MARIA"), PersonName("ЕРИКССОН", "АННА", "Анна Ерикссон")),
        birth_date=PartialDate(1974, 8, None),
        documents=(DocumentKey("P", "UTO", "L898902C3"), DocumentKey("ID", "UTO", "D23145890")),
        valid_from=NOW - DAY + timedelta(microseconds=1),
        sex="F",
        nationalities=("UTO", "D"),
        pictures=(b"\xff\xd8 picture one", b"\xff\xd8 picture two \x00"),
    )
    return replace(full, **changes)


def new_entry(content: EntryContent, **changes: Any) -> NewEntry:
    return replace(NewEntry(content, ANNA), **changes)


def a_suppression(content: EntryContent, **changes: Any) -> Suppression:
    suppression = Suppression(
        suppression_id=new_id(),
        list_id=content.list_id,
        entry_id=content.entry_id,
        document=DocumentKey("P", "UTO", "TRAVELER77"),
        holder=(a_template(), a_template(LARGE)),
        entry_sha256=digest(content.templates),
        reason="another ear, other moles",
        needed=2,
        proposed_by=ANNA,
        proposed_at=NOW,
        expires_at=NOW + 30 * DAY,
    )
    return replace(suppression, **changes)


def an_import(list_id: str, **changes: Any) -> Import:
    one = Import(
        import_id=new_id(),
        list_id=list_id,
        source="Utopia's police",
        content_sha256=hashlib.sha256(b"file").digest(),
        complete=True,
        rows=3,
        proposed_by=ANNA,
        begun_at=NOW,
    )
    return replace(one, **changes)


def a_row(number: int, record_id: str, of: Import, **changes: Any) -> StagedRow:
    """A row that brings a new entry."""
    provenance = Provenance(of.import_id, of.source, record_id, of.content_sha256)
    entry = new_entry(an_entry(of.list_id), provenance=provenance)
    row = StagedRow(number, record_id, content_digest=b"said of " + record_id.encode(), entry=entry)
    return replace(row, **changes)
