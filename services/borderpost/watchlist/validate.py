"""What a request must be like: one validator each. A bad request never reaches a use case.

Errors say the field, what was got and what is wanted, and never repeat a name, a number or a template.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from borderpost.runtime.clock import from_timestamp, is_id
from borderpost.runtime.errors import InvalidRequestError, TemplateInvalidError
from borderpost.runtime.names import to_mrz_letters
from borderpost.v1 import types_pb2, watchlist_pb2
from borderpost.watchlist.domain import fold_code
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

MAX_DIMENSION: Final = 4096
MAX_MODEL_ID: Final = 100
FLOAT32_BYTES: Final = 4
NORM_TOLERANCE: Final = 1e-3
"""How far a template's length may be from 1: far above rounding, far below what moves a score."""

LOWEST_PRIORITY: Final = 9
MAX_FPIR: Final = 0.1
MAX_PAGE_SIZE: Final = 500
LAST_YEAR: Final = 9999
LEAP_YEAR: Final = 2000
"""Stands for an unknown year, so that 29 February is a day."""


def check_create_watchlist(request: watchlist_pb2.CreateWatchlistRequest) -> None:
    """Raise InvalidRequestError for a list that can't be made."""
    if not request.HasField("watchlist"):
        raise _wrong("watchlist", "nothing", "a list")
    watchlist = request.watchlist
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


def check_propose_entry(request: watchlist_pb2.ProposeEntryRequest) -> None:
    """Raise InvalidRequestError or TemplateInvalidError for an entry that can't be kept."""
    if not request.HasField("entry"):
        raise _wrong("entry", "nothing", "an entry")
    entry = request.entry
    _check_id("entry.entry_id", entry.entry_id)
    _check_id("entry.list_id", entry.list_id)
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
    _check_validity(entry)
    if not (entry.templates or entry.documents or (entry.names and entry.birth_date.HasField("year"))):
        raise _wrong("entry", "nothing to find it by", "a template, a document, or a name with a birth year")


def check_approve_entry(request: watchlist_pb2.ApproveEntryRequest) -> None:
    """Raise InvalidRequestError for an id that is none."""
    _check_id("entry_id", request.entry_id)


def check_get_entry(request: watchlist_pb2.GetEntryRequest) -> None:
    """Raise InvalidRequestError for an id that is none."""
    _check_id("entry_id", request.entry_id)


def check_list_entries(request: watchlist_pb2.ListEntriesRequest) -> None:
    """Raise InvalidRequestError for an id, page size or token that is none."""
    _check_id("list_id", request.list_id)
    if request.page_size > MAX_PAGE_SIZE:
        raise _wrong("page_size", str(request.page_size), f"at most {MAX_PAGE_SIZE}")
    parse_page_token(request.page_token)


def check_remove_entry(request: watchlist_pb2.RemoveEntryRequest) -> None:
    """Raise InvalidRequestError for an id that is none."""
    _check_id("entry_id", request.entry_id)


def check_search(request: watchlist_pb2.SearchRequest) -> None:
    """Raise InvalidRequestError or TemplateInvalidError for a search that can't be made."""
    _check_count("templates", len(request.templates), MAX_PROBES)
    _check_templates("templates", request.templates)
    for place, template in enumerate(request.templates):
        if template.model_id != request.templates[0].model_id:
            raise _wrong(f"templates[{place}].model_id", "another than templates[0]'s", "one model a search")
    if request.HasField("document"):
        _check_document("document", request.document)
    if request.HasField("name"):
        _check_name("name", request.name)
    _check_date("birth_date", request.birth_date)
    if not (request.templates or request.HasField("document") or request.HasField("name")):
        raise _wrong("request", "nothing to search by", "templates, a document or a name")


def _check_templates(field: str, templates: Sequence[types_pb2.Template]) -> None:
    dimensions: dict[str, int] = {}
    for place, template in enumerate(templates):
        _check_template(f"{field}[{place}]", template)
        dimension = dimensions.setdefault(template.model_id, template.dimension)
        if dimension != template.dimension:
            got, want = str(template.dimension), f"{dimension} as the model's others"
            raise _bad_template(f"{field}[{place}].dimension", got, want)


def _check_template(field: str, template: types_pb2.Template) -> None:
    if not 1 <= len(template.model_id) <= MAX_MODEL_ID:
        raise _bad_template(
            f"{field}.model_id", f"{len(template.model_id)} characters", f"1 to {MAX_MODEL_ID}"
        )
    if not 1 <= template.dimension <= MAX_DIMENSION:
        raise _bad_template(f"{field}.dimension", str(template.dimension), f"1 to {MAX_DIMENSION}")
    if template.element_type != types_pb2.ELEMENT_TYPE_FLOAT32:
        raise _bad_template(f"{field}.element_type", str(template.element_type), "ELEMENT_TYPE_FLOAT32")
    if template.normalisation != types_pb2.NORMALISATION_L2:
        raise _bad_template(f"{field}.normalisation", str(template.normalisation), "NORMALISATION_L2")
    size = template.dimension * FLOAT32_BYTES
    if len(template.values) != size:
        raise _bad_template(
            f"{field}.values", f"{len(template.values)} bytes", f"{size}, 4 for each dimension"
        )
    values = np.frombuffer(template.values, dtype="<f4").astype(np.float64)
    if not np.isfinite(values).all():
        raise _bad_template(f"{field}.values", "a value that is no finite number", "finite numbers")
    length = math.sqrt(float(values @ values))
    if abs(length - 1.0) > NORM_TOLERANCE:
        raise _bad_template(f"{field}.values", f"the length {length:.4g}", f"1 within {NORM_TOLERANCE:g}")


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


def _check_document(field: str, document: types_pb2.DocumentKey) -> None:
    _check_code(f"{field}.document_code", document.document_code, MAX_DOCUMENT_CODE)
    _check_code(f"{field}.issuing_state", document.issuing_state, MAX_ISSUING_STATE)
    _check_code(f"{field}.number", document.number, MAX_DOCUMENT_NUMBER)


def _check_code(field: str, text: str, longest: int) -> None:
    folded = fold_code(text)
    if not (1 <= len(folded) <= longest and folded.isascii() and folded.isalnum()):
        raise _wrong(field, f"{len(folded)} characters", f"1 to {longest}, letters A to Z and digits")


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
    _check_time("entry.valid_until", entry.valid_until)
    if entry.HasField("valid_from"):
        _check_time("entry.valid_from", entry.valid_from)
        if from_timestamp(entry.valid_from) >= from_timestamp(entry.valid_until):
            raise _wrong("entry.valid_from", "a time not before valid_until", "an earlier one")


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


def _bad_template(field: str, got: str, want: str) -> TemplateInvalidError:
    return TemplateInvalidError(f"{field}: got {got}, want {want}", field=field)
