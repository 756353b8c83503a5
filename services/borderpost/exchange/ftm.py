"""FollowTheMoney JSON, one entity a line, as OpenSanctions publishes it: people and their documents.

What is taken and what is left is in docs/exchange.md. The file is read twice: passports may stand before or after the
person who holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from borderpost.exchange.choices import Choices
from borderpost.exchange.fields import (
    MAX_NATIONALITIES,
    MAX_PARTS,
    Defaults,
    check_record_id,
    fill_ground,
    parse_birth_date,
    parse_object,
    readable_id,
)
from borderpost.exchange.lines import Lines
from borderpost.exchange.problems import FileUnusableError, RowProblemError, bad_row, invalid
from borderpost.runtime.names import split_name, to_mrz_letters
from borderpost.runtime.states import state_of
from borderpost.v1 import types_pb2, watchlist_pb2

MAX_LINE_BYTES: Final = 8 * 1024 * 1024
"""An entity that many sources tell of has some hundred KiB."""

MAX_MARKS: Final = 100_000
"""Brackets and commas of an entity: its notes have commas, too."""

MAX_VALUES: Final = 1000
"""Of one property that are looked at; the others are left out."""

MAX_HELD_DOCUMENTS: Final = 1_000_000
"""Documents of all holders that are held at once: some 300 MB. The largest published file has fewer."""

MAX_REASON_CODE: Final = 64
MAX_REFERENCE: Final = 200
MAX_IDENTIFIER: Final = 200
MAX_NUMBER: Final = 24
"""Characters, as the service takes them. Longer values of a source that isn't made for this are left out."""

PERSON: Final = "Person"
DOCUMENT_CODES: Final = {"Passport": "P", "Identification": "ID"}
"""Document code for each schema of a document: the letters that most of them have in their zones."""

SEXES: Final = {"male": "M", "female": "F", "other": "X"}
FAMILY_NAMES: Final = ("lastName",)
GIVEN_NAMES: Final = ("firstName", "secondName", "middleName", "fatherName")
FULL_NAMES: Final = ("name", "alias", "previousName")
"""Properties of names. weakAlias is left out: a nickname or a single given name would accuse anybody."""

WHOLE_DATES: Final = {4: "-XX-XX", 7: "-XX", 10: ""}
"""What a date of that many characters lacks: YYYY, YYYY-MM, YYYY-MM-DD."""

Properties = dict[str, list[str]]
Documents = dict[str, list[types_pb2.DocumentKey]]


def count_rows(lines: Lines, choices: Choices) -> int:
    """Count the rows: people who are chosen, and lines that can't be read."""
    return sum(1 for _ in _people(lines, choices, _pass_over))


def read_rows(lines: Lines, choices: Choices) -> Iterator[watchlist_pb2.ImportRow]:
    """Yield every chosen person, numbered from 1, one that can't be used as its error. Raises FileUnusableError."""
    held: Documents = {}
    for _ in _people(lines, choices, _collector(held)):
        pass
    for row, (line, person) in enumerate(_people(lines, choices, _pass_over), 1):
        try:
            read = _read_person(person, held, choices.defaults)
        except RowProblemError as problem:
            record_id = "" if isinstance(person, RowProblemError) else readable_id(person.get("id"))
            yield bad_row(row, line, problem, record_id)
        else:
            read.row = row
            yield read


def _people(
    lines: Lines, choices: Choices, take_document: Callable[[str, Properties], None]
) -> Iterator[tuple[int, dict[str, Any] | RowProblemError]]:
    """Yield the people who are chosen; give each document to `take_document`, and pass over everything else."""
    for line in lines:
        if line.data is not None and not line.data.strip():
            continue
        try:
            entity = parse_object(line.data, MAX_MARKS)
        except RowProblemError as problem:
            yield line.number, problem
            continue
        schema = entity.get("schema")
        if isinstance(schema, str) and schema in DOCUMENT_CODES:
            take_document(schema, _properties(entity))
        elif schema == PERSON and _is_chosen(entity, choices.topics):
            yield line.number, entity


def _is_chosen(entity: dict[str, Any], topics: frozenset[str]) -> bool:
    # Relatives and associates of those who are looked for are in the file, too, and marked as no targets.
    if entity.get("target") is False:
        return False
    return not topics or not topics.isdisjoint(_properties(entity).get("topics", ()))


def _properties(entity: dict[str, Any]) -> Properties:
    """Return the properties that are lists of texts; nested entities and what is no Unicode are left out."""
    values = entity.get("properties")
    if not isinstance(values, dict):
        return {}
    return {
        name: [value for value in several[:MAX_VALUES] if isinstance(value, str) and _is_unicode(value)]
        for name, several in values.items()
        if isinstance(several, list)
    }


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _pass_over(_schema: str, _properties: Properties) -> None:
    pass


def _collector(held: Documents) -> Callable[[str, Properties], None]:
    count = 0

    def collect(schema: str, properties: Properties) -> None:
        nonlocal count
        for document in _documents_of(schema, properties):
            for holder in properties.get("holder", ()):
                count += 1
                if count > MAX_HELD_DOCUMENTS:
                    raise FileUnusableError(
                        f"file: got more than {MAX_HELD_DOCUMENTS:,} documents, want fewer: "
                        "import its datasets one by one"
                    )
                held.setdefault(holder, []).append(document)

    return collect


def _documents_of(schema: str, properties: Properties) -> Iterator[types_pb2.DocumentKey]:
    """Yield the documents of an entity; a number whose state isn't known is nobody's."""
    states = {state_of(country) for country in properties.get("country", ())} - {""}
    if len(states) != 1:
        return
    (state,) = states
    for number in (*properties.get("number", ()), *properties.get("passportNumber", ())):
        yield from _document(DOCUMENT_CODES[schema], state, number)


def _document(code: str, state: str, number: str) -> Iterator[types_pb2.DocumentKey]:
    plain = "".join(character for character in number.upper() if character.isalnum())
    if plain.isascii() and 1 <= len(plain) <= MAX_NUMBER:
        yield types_pb2.DocumentKey(document_code=code, issuing_state=state, number=plain)


def _read_person(
    person: dict[str, Any] | RowProblemError, held: Documents, defaults: Defaults
) -> watchlist_pb2.ImportRow:
    if isinstance(person, RowProblemError):
        raise person
    record_id = check_record_id("id", person.get("id", ""))
    properties = _properties(person)
    nationalities = _nationalities(properties)
    entry = watchlist_pb2.Entry(
        names=_names(properties),
        sex=_only({SEXES.get(value.lower(), "") for value in properties.get("gender", ())}),
        nationalities=nationalities[:MAX_NATIONALITIES],
        documents=_unique([*held.get(record_id, ()), *_own_passports(properties, nationalities)])[:MAX_PARTS],
    )
    birth_date = _birth_date(properties.get("birthDate", ()))
    if birth_date is not None:
        entry.birth_date.CopyFrom(birth_date)
    if not entry.names and not entry.documents:
        raise invalid("properties.name", "no name that the machine readable zone has letters for", "one")
    reference = next(
        (url for url in properties.get("sourceUrl", ()) if 1 <= len(url) <= MAX_REFERENCE), record_id
    )
    fill_ground(entry, _reason(person, properties), reference, ("", ""), defaults)
    return watchlist_pb2.ImportRow(record_id=record_id, entry=entry)


def _reason(person: dict[str, Any], properties: Properties) -> str:
    """Return the first programme, else topic, else dataset that is short enough for a code."""
    datasets = person.get("datasets")
    named = datasets if isinstance(datasets, list) else []
    candidates = (*properties.get("programId", ()), *sorted(properties.get("topics", ())), *named)
    return next(
        (
            code
            for code in candidates
            if isinstance(code, str) and _is_unicode(code) and 1 <= len(code) <= MAX_REASON_CODE
        ),
        "",
    )


def _nationalities(properties: Properties) -> list[str]:
    """Return nationalities as documents have them; the country where somebody lives or works is none."""
    values = (*properties.get("nationality", ()), *properties.get("citizenship", ()))
    return list(dict.fromkeys(filter(None, map(state_of, values))))


def _own_passports(properties: Properties, nationalities: list[str]) -> Iterator[types_pb2.DocumentKey]:
    """Yield passports that are told of with the person: of their state, if there is only one that it can be."""
    if len(nationalities) == 1:
        for number in properties.get("passportNumber", ()):
            yield from _document(DOCUMENT_CODES["Passport"], nationalities[0], number)


def _birth_date(values: Iterable[str]) -> types_pb2.PartialDate | None:
    """Return what all dates that are told agree on; None if that isn't even the year."""
    known = [date for date in map(_date, values) if date is not None]
    agreed = types_pb2.PartialDate()
    for part in ("year", "month", "day"):
        told = {getattr(date, part) for date in known if date.HasField(part)}
        if len(told) != 1:
            break
        setattr(agreed, part, told.pop())
    return agreed if agreed.HasField("year") else None


def _date(text: str) -> types_pb2.PartialDate | None:
    try:
        return parse_birth_date("birthDate", text + WHOLE_DATES[len(text)])
    except (KeyError, RowProblemError):
        return None


def _names(properties: Properties) -> list[watchlist_pb2.PersonName]:
    """Return at most 16 names, no two of the same words; one in a script without a table stands beside the first."""
    names: dict[tuple[str, ...], watchlist_pb2.PersonName] = {}
    others: list[str] = []
    for written, primary, secondary in (*_parted_names(properties), *_full_names(properties)):
        if max(len(primary), len(secondary)) > MAX_IDENTIFIER:
            continue
        letters = to_mrz_letters(primary)
        if not letters:
            others.append(written)
            continue
        words = sorted([*letters.split(), *to_mrz_letters(secondary).split()])
        name = watchlist_pb2.PersonName(primary_identifier=primary, secondary_identifier=secondary)
        names.setdefault(tuple(words), name)
    kept = list(names.values())[:MAX_PARTS]
    if kept and others:
        kept[0].native = others[0]
    return kept


def _parted_names(properties: Properties) -> Iterator[tuple[str, str, str]]:
    """Yield names as `_full_names` does, where the source says which part is which, and says one of each."""
    family = [value for name in FAMILY_NAMES for value in properties.get(name, ())]
    given = [properties.get(name, []) for name in GIVEN_NAMES]
    if len(family) == 1 and family[0].strip() and all(len(values) <= 1 for values in given):
        secondary = " ".join(value.strip() for values in given for value in values)
        yield f"{family[0].strip()} {secondary}".strip(), family[0].strip(), secondary


def _full_names(properties: Properties) -> Iterator[tuple[str, str, str]]:
    """Yield names in one field, as written, surname, and given names.

    They are parted at a comma, at a surname that is told, or before the last word.
    """
    surnames = [value.strip().casefold() for name in FAMILY_NAMES for value in properties.get(name, ())]
    for text in (value.strip() for name in FULL_NAMES for value in properties.get(name, ())):
        primary, secondary = split_name(text)
        if primary and not secondary:
            primary, secondary = _split_words(primary, surnames)
        if primary:
            yield text, primary, secondary


def _split_words(text: str, surnames: list[str]) -> tuple[str, str]:
    words = text.split()
    for surname in filter(None, surnames):
        count = len(surname.split())
        if count >= len(words):
            continue
        if " ".join(words[-count:]).casefold() == surname:
            return " ".join(words[-count:]), " ".join(words[:-count])
        if " ".join(words[:count]).casefold() == surname:
            return " ".join(words[:count]), " ".join(words[count:])
    return words[-1], " ".join(words[:-1])


def _unique(documents: Iterable[types_pb2.DocumentKey]) -> list[types_pb2.DocumentKey]:
    keys = {(one.document_code, one.issuing_state, one.number): one for one in documents}
    return list(keys.values())


def _only(values: set[str]) -> str:
    return values.pop() if len(values) == 1 else ""
