"""Rows of the watchlist's database to the domain and back, and what of them is sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import from_timestamp, to_timestamp
from borderpost.runtime.sealing import seal, unseal
from borderpost.v1 import types_pb2, watchlist_pb2
from borderpost.watchlist.domain import (
    Alike,
    Approval,
    Category,
    Entry,
    EntryContent,
    Import,
    ImportState,
    ListState,
    Measured,
    Provenance,
    RowError,
    Suppression,
    Watchlist,
    from_microseconds,
    microseconds,
)
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.templates import Model, Template
from borderpost.watchlist.thresholds import OwnScores

FLOAT_BYTES: Final = 4
"""Of one number of a template (float32)."""

_CATEGORY: Final = "WATCHLIST_CATEGORY_"

Row = Mapping[str, Any]
Templates = Sequence[Template]


# --- lists


def list_content(watchlist: Watchlist) -> bytes:
    """What is said of a list, to be kept."""
    message = watchlist_pb2.Watchlist(
        list_id=watchlist.list_id,
        name=watchlist.name,
        authority=watchlist.authority,
        legal_basis=watchlist.legal_basis,
        category=watchlist_pb2.WatchlistCategory.Value(_CATEGORY + watchlist.category.name),
        priority=watchlist.priority,
        handling_instruction=watchlist.handling_instruction,
        target_fpir=watchlist.target_fpir,
        name_target_fpir=watchlist.name_target_fpir,
        retention_days=watchlist.retention_days,
        crossings=watchlist.crossings,
        assumed_base_rate=watchlist.base_rate,
        suppression_people=watchlist.suppression_people,
    )
    if watchlist.valid_from is not None:
        message.valid_from.CopyFrom(to_timestamp(watchlist.valid_from))
    if watchlist.valid_until is not None:
        message.valid_until.CopyFrom(to_timestamp(watchlist.valid_until))
    return message.SerializeToString()


def to_list_state(row: Row) -> ListState:
    """A list of a row of `lists`."""
    message = watchlist_pb2.Watchlist.FromString(bytes(row["content"]))
    watchlist = Watchlist(
        list_id=message.list_id,
        name=message.name,
        authority=message.authority,
        legal_basis=message.legal_basis,
        category=Category[watchlist_pb2.WatchlistCategory.Name(message.category).removeprefix(_CATEGORY)],
        priority=message.priority,
        handling_instruction=message.handling_instruction,
        target_fpir=message.target_fpir,
        name_target_fpir=message.name_target_fpir,
        valid_from=from_timestamp(message.valid_from) if message.HasField("valid_from") else None,
        valid_until=from_timestamp(message.valid_until) if message.HasField("valid_until") else None,
        retention_days=message.retention_days,
        crossings=tuple(message.crossings),
        base_rate=message.assumed_base_rate,
        suppression_people=message.suppression_people,
    )
    return ListState(watchlist, row["version"], from_microseconds(row["changed_at"]))


# --- entries


def body_name(entry_id: str) -> bytes:
    """What an entry's sealed body is bound to."""
    return b"body:" + entry_id.encode()


def seal_body(key: bytes, content: EntryContent, provenance: Provenance | None) -> bytes:
    """What is said of a person, without templates and pictures; validity and ids lie beside it."""
    message = watchlist_pb2.Entry(
        names=[_name_message(name) for name in content.names],
        birth_date=_date_message(content.birth_date),
        documents=[_document_message(document) for document in content.documents],
        reason_code=content.reason_code,
        source_reference=content.source_reference,
        sex=content.sex,
        nationalities=content.nationalities,
    )
    if provenance is not None:
        message.provenance.CopyFrom(watchlist_pb2.Provenance(**asdict(provenance)))
    return seal(key, message.SerializeToString(), body_name(content.entry_id))


def open_body(key: bytes, entry_id: str, sealed: bytes) -> watchlist_pb2.Entry:
    """What `seal_body` has sealed."""
    return watchlist_pb2.Entry.FromString(unseal(key, sealed, body_name(entry_id)))


def seal_pictures(key: bytes, content: EntryContent) -> bytes:
    """The pictures of an entry, all in one."""
    message = watchlist_pb2.Entry(pictures=content.pictures)
    return seal(key, message.SerializeToString(), b"pictures:" + content.entry_id.encode())


def open_pictures(key: bytes, entry_id: str, sealed: bytes) -> tuple[bytes, ...]:
    """What `seal_pictures` has sealed."""
    plain = unseal(key, sealed, b"pictures:" + entry_id.encode())
    return tuple(watchlist_pb2.Entry.FromString(plain).pictures)


def seal_digest(key: bytes, entry_id: str, digest: bytes) -> bytes:
    """The digest of what a source said of a record: by trying, it would tell who it is."""
    return seal(key, digest, b"digest:" + entry_id.encode())


def open_digest(key: bytes, entry_id: str, sealed: bytes | None) -> bytes:
    """What `seal_digest` has sealed; empty if the record had none."""
    return b"" if sealed is None else unseal(key, bytes(sealed), b"digest:" + entry_id.encode())


def templates_name(model: Model) -> bytes:
    """What a sealed run of templates of a model is bound to; the entry's id follows."""
    return f"templates:{model.model_id}:{model.dimension}:".encode()


def seal_templates(key: bytes, entry_id: str, templates: Templates) -> list[tuple[Model, bytes]]:
    """Templates in their order: for each run of one model its values, one behind the other, sealed."""
    return [
        (
            model,
            seal(key, b"".join(each.values for each in run), templates_name(model) + entry_id.encode()),
        )
        for model, run in groupby(templates, key=lambda template: template.model)
    ]


def open_templates(key: bytes, entry_id: str, model: Model, sealed: bytes) -> list[Template]:
    """One run that `seal_templates` has sealed."""
    plain = unseal(key, sealed, templates_name(model) + entry_id.encode())
    size = model.dimension * FLOAT_BYTES
    return [Template(model, plain[start : start + size]) for start in range(0, len(plain), size)]


def to_entry(row: Row, key: bytes, templates: Templates, pictures: tuple[bytes, ...]) -> Entry:
    """An entry of a row of `entries` with its list, actors, import and body."""
    body = open_body(key, row["entry_id"], bytes(row["sealed"]))
    content = EntryContent(
        entry_id=row["entry_id"],
        list_id=row["list_id"],
        templates=tuple(templates),
        names=names_of(body),
        birth_date=date_of(body),
        documents=documents_of(body),
        reason_code=body.reason_code,
        source_reference=body.source_reference,
        valid_from=_time(row["valid_from"]),
        valid_until=from_microseconds(row["valid_until"]),
        sex=body.sex,
        nationalities=tuple(body.nationalities),
        pictures=pictures,
    )
    approval = None
    if row["approved_version"] is not None:
        approval = Approval(Actor(row["approved_issuer"], row["approved_subject"]), row["approved_version"])
    return Entry(
        content=content,
        template_count=row["templates"],
        proposed_by=Actor(row["proposed_issuer"], row["proposed_subject"]),
        approval=approval,
        picture_count=row["pictures"],
        withdrawn_at=_time(row["withdrawn_at"]),
        provenance=_provenance(body) if body.HasField("provenance") else None,
        pending_import=row["pending_import"],
    )


def names_of(body: watchlist_pb2.Entry) -> tuple[PersonName, ...]:
    """The names of a body."""
    return tuple(
        PersonName(name.primary_identifier, name.secondary_identifier, name.native) for name in body.names
    )


def documents_of(body: watchlist_pb2.Entry) -> tuple[DocumentKey, ...]:
    """The documents of a body."""
    return tuple(map(to_document, body.documents))


def date_of(body: watchlist_pb2.Entry) -> PartialDate:
    """The birth date of a body. No part of a date is 0: what isn't set reads as that."""
    date = body.birth_date
    return _date(date.year or None, date.month or None, date.day or None)


@lru_cache(maxsize=100_000)
def _date(year: int | None, month: int | None, day: int | None) -> PartialDate:
    """The same value for the same date: a million people have a few ten thousand birth dates."""
    return PartialDate(year, month, day)


def _document_message(document: DocumentKey) -> types_pb2.DocumentKey:
    """A document, to be sealed."""
    return types_pb2.DocumentKey(
        document_code=document.document_code, issuing_state=document.issuing_state, number=document.number
    )


def to_document(message: types_pb2.DocumentKey) -> DocumentKey:
    """A document that was sealed."""
    return DocumentKey(message.document_code, message.issuing_state, message.number)


# --- suppressions


def seal_found(key: bytes, suppression: Suppression) -> bytes:
    """Who was found not to be the person of an entry, with which templates of both, and why."""
    plain = {
        "document": asdict(suppression.document),
        "holder": [
            [each.model.model_id, each.model.dimension, each.values.hex()] for each in suppression.holder
        ],
        "entry_sha256": suppression.entry_sha256.hex(),
        "reason": suppression.reason,
    }
    name = _found_name(suppression.suppression_id, suppression.entry_id)
    return seal(key, json.dumps(plain).encode(), name)


def to_suppression(row: Row, key: bytes) -> Suppression:
    """A suppression of a row of `suppressions` with its list, entry and actors."""
    name = _found_name(row["suppression_id"], row["entry_id"])
    found = json.loads(unseal(key, bytes(row["found"]), name))
    return Suppression(
        suppression_id=row["suppression_id"],
        list_id=row["list_id"],
        entry_id=row["entry_id"],
        document=DocumentKey(**found["document"]),
        holder=tuple(
            Template(Model(model_id, dimension), bytes.fromhex(values))
            for model_id, dimension, values in found["holder"]
        ),
        entry_sha256=bytes.fromhex(found["entry_sha256"]),
        reason=found["reason"],
        needed=row["needed"],
        proposed_by=Actor(row["proposed_issuer"], row["proposed_subject"]),
        proposed_at=from_microseconds(row["proposed_at"]),
        expires_at=from_microseconds(row["expires_at"]),
        confirmed_by=_actor(row["confirmed_issuer"], row["confirmed_subject"]),
        revoked_by=_actor(row["revoked_issuer"], row["revoked_subject"]),
    )


# --- imports, and what was measured


def import_content(an_import: Import) -> bytes:
    """An import, to be sealed."""
    fields = asdict(an_import)
    del fields["begun_at"]  # it lies beside it
    fields["content_sha256"] = an_import.content_sha256.hex()
    fields["state"] = an_import.state.value
    return json.dumps(fields).encode()


def to_import(content: bytes, begun_at: int) -> Import:
    """An import that was sealed, and when it was begun."""
    fields = json.loads(content)
    fields["content_sha256"] = bytes.fromhex(fields["content_sha256"])
    fields["state"] = ImportState(fields["state"])
    fields["proposed_by"] = Actor(**fields["proposed_by"])
    fields["approved_by"] = None if fields["approved_by"] is None else Actor(**fields["approved_by"])
    return Import(**fields, begun_at=from_microseconds(begun_at))


def row_error_content(error: RowError) -> bytes:
    """Why a row can't be used, to be sealed."""
    return json.dumps(asdict(error)).encode()


def to_row_error(content: bytes) -> RowError:
    """Why a row can't be used, and was sealed."""
    return RowError(**json.loads(content))


def measured_content(measured: Measured) -> bytes:
    """What was measured of a list, to be sealed."""
    fields = asdict(measured)
    fields["measured_at"] = microseconds(measured.measured_at)
    return json.dumps(fields).encode()


def to_measured(content: bytes) -> Measured:
    """What was measured of a list, and was sealed."""
    fields = json.loads(content)
    return Measured(
        list_id=fields["list_id"],
        own=OwnScores(**fields["own"]),
        alike=tuple(Alike(**each) for each in fields["alike"]),
        version=fields["version"],
        measured_at=from_microseconds(fields["measured_at"]),
    )


def _found_name(suppression_id: str, entry_id: str) -> bytes:
    return f"suppression:{suppression_id}:{entry_id}".encode()


def _name_message(name: PersonName) -> watchlist_pb2.PersonName:
    return watchlist_pb2.PersonName(
        primary_identifier=name.primary_identifier,
        secondary_identifier=name.secondary_identifier,
        native=name.native,
    )


def _date_message(date: PartialDate) -> types_pb2.PartialDate:
    return types_pb2.PartialDate(year=date.year, month=date.month, day=date.day)


def _provenance(body: watchlist_pb2.Entry) -> Provenance:
    said = body.provenance
    return Provenance(said.import_id, said.source, said.record_id, said.content_sha256)


def _time(stored: int | None) -> datetime | None:
    return None if stored is None else from_microseconds(stored)


def _actor(issuer: str | None, subject: str | None) -> Actor | None:
    return None if issuer is None or subject is None else Actor(issuer, subject)
