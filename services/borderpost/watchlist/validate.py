"""What a request must be like: one validator each. A bad request never reaches a use case.

Errors say the field, what was got and what is wanted, and never repeat a name, a number or a template.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from borderpost.runtime.clock import from_timestamp, is_id
from borderpost.runtime.errors import BorderpostError, InvalidRequestError
from borderpost.runtime.identity import is_name_part
from borderpost.runtime.names import to_mrz_letters
from borderpost.runtime.templates import MAX_MODEL_ID, bad_template, check_template
from borderpost.v1 import types_pb2, watchlist_pb2
from borderpost.watchlist.domain import RowError
from borderpost.watchlist.persons import fold_code
from borderpost.watchlist.tokens import parse_page_token

MAX_NAME: Final = 100
MAX_AUTHORITY: Final = 200
MAX_LEGAL_BASIS: Final = 500
MAX_HANDLING_INSTRUCTION: Final = 1000
MAX_REASON_CODE: Final = 64
MAX_SOURCE_REFERENCE: Final = 200
MAX_IDENTIFIER: Final = 200
"""Characters of text fields, as in watchlist.proto."""

MAX_DOCUMENT_CODE: Final = 2
MAX_ISSUING_STATE: Final = 3
"""Characters, as in the MRZ (ICAO Doc 9303-3, 5; 9303-4, 4.2.2)."""

MAX_DOCUMENT_NUMBER: Final = 24
"""Characters: a TD1's number may go on into its optional data, 9 + 15 (ICAO Doc 9303-5, 4.2.2)."""

MAX_PARTS: Final = 16
"""Templates, names or documents of an entry, as in watchlist.proto."""

MAX_PROBES: Final = 8
"""Templates of a search, as in watchlist.proto."""

MAX_NATIVE: Final = 400
MAX_NATIONALITIES: Final = 8
MAX_PICTURES: Final = 4
MAX_PICTURE_BYTES: Final = 1024 * 1024
MAX_RETENTION_DAYS: Final = 3650
MAX_CROSSINGS: Final = 100
MAX_LISTS: Final = 1000
MAX_REASON: Final = 500
MAX_SUPPRESSION: Final = timedelta(days=2 * 366)
MAX_ROWS: Final = 500
MAX_FILE_ROWS: Final = 10_000_000
MAX_RECORD_ID: Final = 200
MAX_PART_BYTES: Final = 1024 * 1024
MAX_PARTNER: Final = 100
MAX_REASON_OF_ROW: Final = 64
MAX_FIELD_OF_ROW: Final = 100
MAX_MESSAGE_OF_ROW: Final = 500
DIGEST_BYTES: Final = 32
MIGRATED_AT_ONCE: Final = 20
"""As in watchlist.proto; a file of more rows than a host's index is meant for is somebody's mistake."""

SEXES: Final = frozenset({"", "F", "M", "X"})
"""As in the MRZ (ICAO Doc 9303-4, 4.2.2); empty: not known."""

"""How far a template's length may be from 1: far above rounding, far below what moves a score."""

LOWEST_PRIORITY: Final = 9
MAX_FPIR: Final = 0.1
MAX_PAGE_SIZE: Final = 500
LAST_YEAR: Final = 9999
LEAP_YEAR: Final = 2000
"""Stands for an unknown year, so that 29 February is a day."""


def check_create_watchlist(request: watchlist_pb2.CreateWatchlistRequest) -> None:
    """Raise InvalidRequestError for a list that can't be made."""
    _check_watchlist(request.HasField("watchlist"), request.watchlist)


def check_change_watchlist(request: watchlist_pb2.ChangeWatchlistRequest) -> None:
    """Raise InvalidRequestError for a list that can't be."""
    _check_watchlist(request.HasField("watchlist"), request.watchlist)


def _check_watchlist(is_there: bool, watchlist: watchlist_pb2.Watchlist) -> None:
    if not is_there:
        raise _wrong("watchlist", "nothing", "a list")
    _check_id("watchlist.list_id", watchlist.list_id)
    _check_text("watchlist.name", watchlist.name, MAX_NAME)
    _check_text("watchlist.authority", watchlist.authority, MAX_AUTHORITY)
    _check_text("watchlist.legal_basis", watchlist.legal_basis, MAX_LEGAL_BASIS)
    _check_text("watchlist.handling_instruction", watchlist.handling_instruction, MAX_HANDLING_INSTRUCTION)
    known = watchlist_pb2.WatchlistCategory.values()
    if watchlist.category == watchlist_pb2.WATCHLIST_CATEGORY_UNSPECIFIED or watchlist.category not in known:
        raise _wrong("watchlist.category", str(watchlist.category), "one of WatchlistCategory")
    if not 1 <= watchlist.priority <= LOWEST_PRIORITY:
        raise _wrong("watchlist.priority", str(watchlist.priority), f"1 to {LOWEST_PRIORITY}")
    if not 0.0 < watchlist.target_fpir <= MAX_FPIR:
        raise _wrong("watchlist.target_fpir", f"{watchlist.target_fpir:g}", f"above 0, at most {MAX_FPIR}")
    name_target = watchlist.name_target_fpir
    if not 0.0 <= name_target <= MAX_FPIR:
        raise _wrong("watchlist.name_target_fpir", f"{name_target:g}", f"0, or at most {MAX_FPIR}")
    _check_period("watchlist", watchlist)
    _check_rules(watchlist)


def _check_rules(watchlist: watchlist_pb2.Watchlist) -> None:
    """How long entries are kept, where the list is searched, and what its alerts are taken to mean."""
    if watchlist.retention_days > MAX_RETENTION_DAYS:
        raise _wrong(
            "watchlist.retention_days", str(watchlist.retention_days), f"at most {MAX_RETENTION_DAYS}"
        )
    _check_count("watchlist.crossings", len(watchlist.crossings), MAX_CROSSINGS)
    for place, crossing in enumerate(watchlist.crossings):
        if not is_name_part(crossing):
            want = "a crossing as in a kiosk's name: 1 to 60 letters, digits, dots, hyphens and underscores"
            raise _wrong(f"watchlist.crossings[{place}]", f"{len(crossing)} characters", want)
    if not 0.0 <= watchlist.assumed_base_rate <= 1.0:
        raise _wrong("watchlist.assumed_base_rate", f"{watchlist.assumed_base_rate:g}", "a share, 0 to 1")
    if watchlist.suppression_people > 2:
        raise _wrong("watchlist.suppression_people", str(watchlist.suppression_people), "1 or 2")


def check_propose_entry(request: watchlist_pb2.ProposeEntryRequest) -> None:
    """Raise InvalidRequestError or TemplateInvalidError for an entry that can't be kept."""
    if not request.HasField("entry"):
        raise _wrong("entry", "nothing", "an entry")
    entry = request.entry
    _check_id("entry.entry_id", entry.entry_id)
    _check_id("entry.list_id", entry.list_id)
    _check_entry(entry)


def _check_entry(entry: watchlist_pb2.Entry) -> None:
    _check_text("entry.reason_code", entry.reason_code, MAX_REASON_CODE)
    _check_text("entry.source_reference", entry.source_reference, MAX_SOURCE_REFERENCE)
    _check_count("entry.templates", len(entry.templates), MAX_PARTS)
    _check_count("entry.names", len(entry.names), MAX_PARTS)
    _check_count("entry.documents", len(entry.documents), MAX_PARTS)
    _check_templates("entry.templates", entry.templates)
    for place, name in enumerate(entry.names):
        _check_name(f"entry.names[{place}]", name)
    for place, document in enumerate(entry.documents):
        _check_document(f"entry.documents[{place}]", document)
    _check_date("entry.birth_date", entry.birth_date)
    if entry.sex not in SEXES:
        raise _wrong("entry.sex", f"{len(entry.sex)} characters", "F, M, X or nothing")
    _check_count("entry.nationalities", len(entry.nationalities), MAX_NATIONALITIES)
    for place, code in enumerate(entry.nationalities):
        _check_state(f"entry.nationalities[{place}]", code)
    _check_pictures(entry.pictures)
    _check_validity(entry)
    if entry.pictures and not entry.templates:
        raise _wrong(
            "entry.pictures", "pictures without a template", "a template too, so that faces are searched"
        )
    if not (entry.templates or entry.documents or (entry.names and entry.birth_date.HasField("year"))):
        raise _wrong("entry", "nothing to find it by", "a template, a document, or a name with a birth year")


class _NamesEntry(Protocol):
    @property
    def entry_id(self) -> str: ...


class _NamesList(Protocol):
    @property
    def list_id(self) -> str: ...


class _NamesImport(Protocol):
    @property
    def import_id(self) -> str: ...


class _NamesSuppression(Protocol):
    @property
    def suppression_id(self) -> str: ...


def check_entry_id(request: _NamesEntry) -> None:
    """Raise InvalidRequestError for an id that is none."""
    _check_id("entry_id", request.entry_id)


def check_list_id(request: _NamesList) -> None:
    """Raise InvalidRequestError for an id that is none."""
    _check_id("list_id", request.list_id)


def check_import_id(request: _NamesImport) -> None:
    """Raise InvalidRequestError for an id that is none."""
    _check_id("import_id", request.import_id)


def check_suppression_id(request: _NamesSuppression) -> None:
    """Raise InvalidRequestError for an id that is none."""
    _check_id("suppression_id", request.suppression_id)


def check_list_entries(request: watchlist_pb2.ListEntriesRequest) -> None:
    """Raise InvalidRequestError for an id, page size or token that is none."""
    _check_id("list_id", request.list_id)
    if request.page_size > MAX_PAGE_SIZE:
        raise _wrong("page_size", str(request.page_size), f"at most {MAX_PAGE_SIZE}")
    parse_page_token(request.page_token)


def check_list_imports(request: watchlist_pb2.ListImportsRequest) -> None:
    """Raise InvalidRequestError for an id that is none."""
    _check_id("list_id", request.list_id)


def check_add_templates(request: watchlist_pb2.AddTemplatesRequest) -> None:
    """Raise InvalidRequestError or TemplateInvalidError for templates that can't be added."""
    _check_id("entry_id", request.entry_id)
    if not 1 <= len(request.templates) <= MAX_PARTS:
        raise _wrong("templates", str(len(request.templates)), f"1 to {MAX_PARTS}")
    _check_one_model(request.templates)


def check_list_without_model(request: watchlist_pb2.ListWithoutModelRequest) -> None:
    """Raise InvalidRequestError for an id, model, page size or token that is none."""
    _check_id("list_id", request.list_id)
    _check_text("model_id", request.model_id, MAX_MODEL_ID)
    if request.page_size > MIGRATED_AT_ONCE:
        raise _wrong("page_size", str(request.page_size), f"at most {MIGRATED_AT_ONCE}")
    parse_page_token(request.page_token)


def check_propose_suppression(request: watchlist_pb2.ProposeSuppressionRequest, now: datetime) -> None:
    """Raise InvalidRequestError for a suppression that can't be kept."""
    _check_id("suppression_id", request.suppression_id)
    if not request.pair:
        raise _wrong("pair", "nothing", "`pair` of a candidate")
    _check_text("reason", request.reason, MAX_REASON)
    if not request.HasField("expires_at"):
        raise _wrong("expires_at", "nothing", "a time: nothing is suppressed for ever")
    _check_time("expires_at", request.expires_at)
    if not now < from_timestamp(request.expires_at) <= now + MAX_SUPPRESSION:
        raise _wrong("expires_at", "a time out of bounds", "one to come, at most two years ahead")


def check_list_suppressions(request: watchlist_pb2.ListSuppressionsRequest) -> None:
    """Raise InvalidRequestError for an id, page size or token that is none."""
    _check_id("list_id", request.list_id)
    if request.entry_id:
        _check_id("entry_id", request.entry_id)
    if request.page_size > MAX_PAGE_SIZE:
        raise _wrong("page_size", str(request.page_size), f"at most {MAX_PAGE_SIZE}")
    parse_page_token(request.page_token)


def check_begin_import(request: watchlist_pb2.BeginImportRequest) -> None:
    """Raise InvalidRequestError for an import that can't be begun."""
    _check_id("import_id", request.import_id)
    _check_id("list_id", request.list_id)
    if request.bundle_id:
        _check_id("bundle_id", request.bundle_id)
        return
    _check_text("source", request.source, MAX_AUTHORITY)
    if len(request.content_sha256) != DIGEST_BYTES:
        raise _wrong("content_sha256", f"{len(request.content_sha256)} bytes", f"{DIGEST_BYTES}")
    if not 1 <= request.rows <= MAX_FILE_ROWS:
        raise _wrong("rows", str(request.rows), f"1 to {MAX_FILE_ROWS}")


def check_stage_rows(request: watchlist_pb2.StageRowsRequest) -> None:
    """Raise InvalidRequestError for a call whose rows can't be told apart. What is wrong in a row is told of it."""
    _check_id("import_id", request.import_id)
    if not 1 <= len(request.rows) <= MAX_ROWS:
        raise _wrong("rows", str(len(request.rows)), f"1 to {MAX_ROWS}")
    for place, row in enumerate(request.rows):
        if not 1 <= row.row <= MAX_FILE_ROWS:
            raise _wrong(f"rows[{place}].row", str(row.row), f"1 to {MAX_FILE_ROWS}")


def row_error(row: watchlist_pb2.ImportRow) -> RowError | None:
    """Why a row can't be used; None if it can. What its sender found is believed, and cut to what is kept."""
    if row.HasField("error"):
        error = row.error
        return RowError(
            row.row,
            _plain(error.reason, MAX_REASON_OF_ROW) or InvalidRequestError.reason,
            _plain(error.field, MAX_FIELD_OF_ROW),
            _plain(error.message, MAX_MESSAGE_OF_ROW),
        )
    try:
        _check_text("record_id", row.record_id, MAX_RECORD_ID)
        if not row.HasField("entry"):
            raise _wrong("entry", "nothing", "an entry")
        _check_entry(row.entry)
    except BorderpostError as error:
        return RowError(row.row, error.reason, error.details.get("field", ""), error.message)
    return None


def check_export_entries(request: watchlist_pb2.ExportEntriesRequest) -> None:
    """Raise InvalidRequestError for an id or token that is none."""
    _check_id("list_id", request.list_id)
    parse_page_token(request.page_token)


def check_make_bundle(request: watchlist_pb2.MakeBundleRequest) -> None:
    """Raise InvalidRequestError for an id or a partner's name that is none."""
    _check_id("list_id", request.list_id)
    _check_text("partner", request.partner, MAX_PARTNER)


def check_bundle_id(request: watchlist_pb2.ReadBundleRequest) -> None:
    """Raise InvalidRequestError for an id that is none."""
    _check_id("bundle_id", request.bundle_id)


def check_write_bundle(request: watchlist_pb2.WriteBundleRequest) -> None:
    """Raise InvalidRequestError for an id that is none, or too large a part."""
    _check_id("bundle_id", request.bundle_id)
    if len(request.content) > MAX_PART_BYTES:
        raise _wrong("content", f"{len(request.content)} bytes", f"at most {MAX_PART_BYTES}")


def check_get_import(request: watchlist_pb2.GetImportRequest) -> None:
    """Raise InvalidRequestError for an id or token that is none."""
    _check_id("import_id", request.import_id)
    parse_page_token(request.page_token)


def check_search(request: watchlist_pb2.SearchRequest) -> None:
    """Raise InvalidRequestError or TemplateInvalidError for a search that can't be made."""
    _check_count("templates", len(request.templates), MAX_PROBES)
    _check_one_model(request.templates)
    _check_count("list_ids", len(request.list_ids), MAX_LISTS)
    for place, list_id in enumerate(request.list_ids):
        _check_id(f"list_ids[{place}]", list_id)
    if request.HasField("document"):
        _check_document("document", request.document)
    if request.HasField("name"):
        _check_name("name", request.name)
    _check_date("birth_date", request.birth_date)
    if not (request.templates or request.HasField("document") or request.HasField("name")):
        raise _wrong("request", "nothing to search by", "templates, a document or a name")


def _check_one_model(templates: Sequence[types_pb2.Template]) -> None:
    _check_templates("templates", templates)
    for place, template in enumerate(templates):
        if template.model_id != templates[0].model_id:
            raise _wrong(f"templates[{place}].model_id", "another than templates[0]'s", "one model a call")


def _check_pictures(pictures: Sequence[bytes]) -> None:
    _check_count("entry.pictures", len(pictures), MAX_PICTURES)
    for place, picture in enumerate(pictures):
        if not 1 <= len(picture) <= MAX_PICTURE_BYTES:
            raise _wrong(
                f"entry.pictures[{place}]",
                f"{len(picture)} bytes",
                f"1 to {MAX_PICTURE_BYTES}, a smaller picture",
            )


def _plain(text: str, longest: int) -> str:
    return "".join(character for character in text[:longest] if character.isprintable())


def _check_templates(field: str, templates: Sequence[types_pb2.Template]) -> None:
    dimensions: dict[str, int] = {}
    for place, template in enumerate(templates):
        check_template(f"{field}[{place}]", template)
        dimension = dimensions.setdefault(template.model_id, template.dimension)
        if dimension != template.dimension:
            got, want = str(template.dimension), f"{dimension} as the model's others"
            raise bad_template(f"{field}[{place}].dimension", got, want)


def _check_name(field: str, name: watchlist_pb2.PersonName) -> None:
    _check_text(f"{field}.primary_identifier", name.primary_identifier, MAX_IDENTIFIER)
    if not to_mrz_letters(name.primary_identifier):
        raise _wrong(
            f"{field}.primary_identifier",
            "no letter that the MRZ has a spelling for",
            "its transliteration (ICAO 9303-3, 6)",
        )
    if name.secondary_identifier:
        _check_text(f"{field}.secondary_identifier", name.secondary_identifier, MAX_IDENTIFIER)
    if name.native:
        _check_text(f"{field}.native", name.native, MAX_NATIVE)


def _check_document(field: str, document: types_pb2.DocumentKey) -> None:
    _check_code(f"{field}.document_code", document.document_code, MAX_DOCUMENT_CODE)
    _check_state(f"{field}.issuing_state", document.issuing_state)
    _check_code(f"{field}.number", document.number, MAX_DOCUMENT_NUMBER)


def _check_code(field: str, text: str, longest: int) -> None:
    folded = fold_code(text)
    if not (1 <= len(folded) <= longest and folded.isascii() and folded.isalnum()):
        raise _wrong(field, f"{len(folded)} characters", f"1 to {longest}, letters A to Z and digits")


def _check_state(field: str, text: str) -> None:
    folded = fold_code(text)
    if not (1 <= len(folded) <= MAX_ISSUING_STATE and folded.isascii() and folded.isalpha()):
        raise _wrong(field, f"{len(folded)} characters", f"1 to {MAX_ISSUING_STATE} letters A to Z")


def _check_date(field: str, partial: types_pb2.PartialDate) -> None:
    year = partial.year if partial.HasField("year") else LEAP_YEAR
    month = partial.month if partial.HasField("month") else 1
    day = partial.day if partial.HasField("day") else 1
    if not 1 <= year <= LAST_YEAR:
        raise _wrong(f"{field}.year", "a number out of bounds", f"1 to {LAST_YEAR}, or not set")
    try:
        date(year, month, day)
    except (ValueError, OverflowError):
        raise _wrong(
            field, "a day that no calendar has", "month 1 to 12, day 1 to the month's last"
        ) from None


def _check_validity(entry: watchlist_pb2.Entry) -> None:
    if not entry.HasField("valid_until"):
        raise _wrong("entry.valid_until", "nothing", "a time: nobody is on a list for ever")
    _check_period("entry", entry)


def _check_period(field: str, message: watchlist_pb2.Entry | watchlist_pb2.Watchlist) -> None:
    if message.HasField("valid_until"):
        _check_time(f"{field}.valid_until", message.valid_until)
    if message.HasField("valid_from"):
        _check_time(f"{field}.valid_from", message.valid_from)
        if message.HasField("valid_until") and from_timestamp(message.valid_from) >= from_timestamp(
            message.valid_until
        ):
            raise _wrong(f"{field}.valid_from", "a time not before valid_until", "an earlier one")


def _check_time(field: str, stamp: Timestamp) -> None:
    try:
        from_timestamp(stamp)
    except (ValueError, OverflowError):
        raise _wrong(field, "a time out of bounds", "one of the years 1 to 9999") from None


def _check_id(field: str, text: str) -> None:
    if not is_id(text):
        raise _wrong(field, f"{len(text)} characters that are no id", "a UUIDv7 in lower case with hyphens")


def _check_text(field: str, text: str, longest: int) -> None:
    if not 1 <= len(text) <= longest or not text.strip():
        raise _wrong(field, f"{len(text)} characters", f"1 to {longest}, not all of them spaces")
    if any(unicodedata.category(character) == "Cc" and character != "\n" for character in text):
        raise _wrong(field, "a control character", "text")


def _check_count(field: str, count: int, most: int) -> None:
    if count > most:
        raise _wrong(field, str(count), f"at most {most}")


def _wrong(field: str, got: str, want: str) -> InvalidRequestError:
    return InvalidRequestError(f"{field}: got {got}, want {want}", field=field)
