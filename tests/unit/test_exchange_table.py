"""CSV of entries: read whatever program wrote it, with the right delimiter, and safe in a spreadsheet when written."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.exchange import table
from borderpost.exchange.choices import Choices
from borderpost.exchange.problems import ROW_REASONS, FileUnusableError
from borderpost.v1 import watchlist_pb2
from fakes.exchange import TEXT, entries, read, reason_of

HEADER = "record_id,surname,given_names,birth_date,documents,reason_code,source_reference,valid_until"
GOOD = "r1,ÅBERG,EVA,1980-07-XX,P:UTO:L898902C3,A1,4711/26,2030-12-31"
CONTENT = "Somebodysname"


def rows(*lines: str, end: str = "\r\n"):
    return read(end.join([HEADER, *lines]).encode(), "csv")


def test_a_row_is_read():
    (got,) = rows(GOOD)
    assert got.record_id == "r1"
    assert got.entry.names[0].primary_identifier == "ÅBERG"
    assert (got.entry.birth_date.year, got.entry.birth_date.HasField("day")) == (1980, False)
    assert got.entry.documents[0].issuing_state == "UTO"


@settings(deadline=None)
@given(st.lists(entries(), max_size=4))
def test_what_is_written_is_read_again(written):
    out = io.BytesIO()
    assert table.write_entries(out, written) == len(written)
    read_again = read(out.getvalue(), "csv")
    assert [got.record_id for got in read_again] == [entry.entry_id for entry in written]
    for entry in written:
        entry.entry_id = ""
    assert [got.entry for got in read_again] == written


@settings(deadline=None)
@given(st.lists(TEXT, min_size=1))
def test_a_cell_of_several_values_is_read_as_it_was_written(values):
    assert table.split_cell(table.join_cell(values)) == values


@settings(deadline=None)
@given(TEXT | st.text("=+-@\t\r\n;'\\\"aB,", min_size=1))
def test_no_cell_that_is_written_is_a_formula_wherever_a_spreadsheet_begins_one(text):
    guarded = table._guarded(text)
    assert not [cell for cell in re.split(r"[;\t\r\n]", guarded) if cell and cell[0] in "=+-@"]
    assert guarded[0] not in "\t\r"
    assert table._unguarded(guarded) == text


@pytest.mark.parametrize("evil", ["=HYPERLINK(A1)", "x;=HYPERLINK(A1)", 'x";=A1', "x\n=A1", "+1;-1;@A1"])
def test_nothing_of_an_entry_is_a_formula_where_semicolons_part_cells(evil):
    name = watchlist_pb2.PersonName(primary_identifier="Smith", secondary_identifier=evil)
    entry = watchlist_pb2.Entry(names=[name, name], source_reference=evil, reason_code=evil)
    out = io.BytesIO()
    table.write_entries(out, [entry])
    cells = [cell for row in csv.reader(io.StringIO(out.getvalue().decode()), delimiter=";") for cell in row]
    assert "Smith" in "".join(cells)
    assert not [cell for cell in cells if cell and cell[0] in "=+-@"]


def test_an_apostrophe_that_belongs_to_a_name_stays():
    (got,) = rows(GOOD.replace("ÅBERG,EVA", "'t Hooft;'s Jong,EVA"))
    assert [name.primary_identifier for name in got.entry.names] == ["'t Hooft", "'s Jong"]


@pytest.mark.parametrize("delimiter", table.DELIMITERS)
def test_the_delimiter_is_told_by_the_header(delimiter):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["Record_ID", " surname", "reason_code", "source_reference", "valid_until"])
    writer.writerow(["r1", "ONE;TWO", "A1", "x, y | z", "2030-12-31"])
    (got,) = read(b"\xef\xbb\xbf" + out.getvalue().encode(), "csv")
    assert [name.primary_identifier for name in got.entry.names] == ["ONE", "TWO"]
    assert got.entry.source_reference == "x, y | z"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        f"r1,{CONTENT}".encode(),
        b"surname,reason_code\nx,y",
        b"record_id,record_id\n",
        b"record_id;surname,birth_date",
        b"record_id,\xff\n",
        b'record_id,"surname\n',
    ],
)
def test_a_file_without_a_known_header_is_refused_without_telling_what_is_in_it(data):
    with pytest.raises(FileUnusableError) as refused:
        read(data, "csv")
    assert CONTENT not in refused.value.message


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("record_id,surname,gender", "a column 'gender', which isn't known"),
        ("record_id;surname;gender", "a column 'gender', which isn't known"),
        ("record_id,sur\x00name", "a column 'surname', which isn't known"),
        ("record_id,surname," + "g" * 99, f"a column '{'g' * 40}', which isn't known"),
        ("record_id,surname,", "a column '', which isn't known"),
        ("record_id,surname,surname", "a column twice"),
        ("surname,sex", "no record_id"),
        ("id,name", "no name of a column that is known"),
    ],
)
def test_a_wrong_header_is_told_of_by_what_is_wrong_with_it(header, told):
    with pytest.raises(FileUnusableError) as refused:
        read(header.encode(), "csv")
    assert refused.value.message.startswith(f"header: got {told}, want ")


def test_a_delimiter_that_was_given_must_fit(tmp_path):
    data = f"{HEADER}\n{GOOD}".encode()
    assert read(data, "csv", Choices(tmp_path, delimiter=","))[0].HasField("entry")
    for wrong in (";", "ab", "\n"):
        with pytest.raises(FileUnusableError):
            read(data, "csv", Choices(tmp_path, delimiter=wrong))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"r1,{CONTENT}", "ROW_NOT_CSV"),
        (f"{GOOD},more", "ROW_NOT_CSV"),
        (f'"r1"{CONTENT},,,,,,,', "ROW_NOT_CSV"),
        (GOOD.replace("1980-07-XX", CONTENT), "ROW_FIELD_INVALID"),
        (GOOD.replace("P:UTO:L898902C3", CONTENT), "ROW_FIELD_INVALID"),
        (GOOD.replace("EVA", f"A;B;{CONTENT}"), "ROW_FIELD_INVALID"),
        (GOOD.replace("ÅBERG", f";{CONTENT}"), "ROW_FIELD_MISSING"),
        (GOOD.replace("ÅBERG", ";".join(["A"] * 17)), "ROW_FIELD_INVALID"),
        (GOOD.replace("r1", ""), "ROW_FIELD_MISSING"),
        (GOOD.replace("r1", "r" * 201), "ROW_FIELD_INVALID"),
        (GOOD.replace("A1", ""), "ROW_FIELD_MISSING"),
    ],
)
def test_a_bad_row_is_its_own_error_and_the_others_are_read(line, reason):
    before, bad, after = rows(GOOD, line, GOOD)
    assert reason_of(bad) == reason
    assert CONTENT not in str(bad)
    assert bad.error.message.startswith("line 3: ")
    assert before.entry == after.entry


def test_a_line_that_is_no_utf8_is_its_own_error():
    data = "\n".join([HEADER, GOOD, GOOD]).encode() + b"\n\xff\xfe\n" + GOOD.encode()
    assert [got.HasField("entry") for got in read(data, "csv")] == [True, True, False, True]


def test_a_quote_that_never_closes_takes_no_more_than_one_cell_can_hold():
    wide = GOOD + ' "" ' * 10_000
    lines = [f'r1,"{CONTENT}', *([wide.replace('"', "")] * 12), GOOD]
    got = rows(*lines)
    assert reason_of(got[0]) == "ROW_NOT_CSV"
    assert got[-1].HasField("entry")


@pytest.mark.parametrize(
    "line",
    [
        GOOD.replace("1980-07-XX", CONTENT),
        GOOD.replace("A1", ""),
        GOOD.replace("ÅBERG", f";{CONTENT}"),
        GOOD.replace("r1", " r1 ").replace("2030-12-31", "soon"),
    ],
)
def test_a_row_in_error_has_its_record_id(line):
    (bad,) = rows(line)
    assert reason_of(bad) in ROW_REASONS
    assert bad.record_id == "r1"


@pytest.mark.parametrize(
    "line",
    [
        f"r1,{CONTENT}",
        f"r1,{GOOD}",
        GOOD.replace("r1", ""),
        GOOD.replace("r1", "r" * 201),
        GOOD.replace("r1", "r\x001"),
        GOOD.replace("r1", '"r\n1"'),
    ],
)
def test_a_row_that_may_be_of_another_record_has_no_record_id(line):
    """With another number of cells nobody knows which one is the record id."""
    (bad,) = rows(line)
    assert reason_of(bad) in ROW_REASONS
    assert bad.record_id == ""


OPEN = GOOD.replace("ÅBERG", '"ÅBERG')
CLOSED = GOOD.replace("r1,ÅBERG", 'r9,"ÅBERG"')
ENDING = GOOD.replace("r1,ÅBERG", 'r9,ÅBERG"')


@pytest.mark.parametrize(
    "lines",
    [
        (OPEN, GOOD, GOOD),
        (OPEN, GOOD, CLOSED),
        (OPEN, GOOD, ENDING),
        (OPEN, ENDING),
        (OPEN, GOOD, OPEN),
        (GOOD.replace("2030-12-31", '"2030-12-31'), GOOD, CLOSED),
    ],
)
def test_lines_that_an_open_quote_has_swallowed_are_an_error_of_no_record(lines):
    got = rows(*lines)
    bad = [row for row in got if row.HasField("error")]
    assert len(got) < len(lines)
    assert [(row.error.reason, row.record_id) for row in bad] == [("ROW_NOT_CSV", "")]


def test_spaces_around_a_value_are_no_part_of_it():
    line = GOOD.replace("ÅBERG,EVA", " Smith; Smyth , EVA ;MARY ").replace("A1,4711/26", " A1 , 4711/26 ")
    (got,) = rows(line.replace("r1", " r1 "))
    assert [(name.primary_identifier, name.secondary_identifier) for name in got.entry.names] == [
        ("Smith", "EVA"),
        ("Smyth", "MARY"),
    ]
    assert (got.record_id, got.entry.reason_code, got.entry.source_reference) == ("r1", "A1", "4711/26")


def test_a_cell_may_have_several_lines():
    (got,) = rows(GOOD.replace("4711/26", '"4711\r\n/26"'))
    assert got.entry.source_reference == "4711\n/26"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data):
    for got in read(HEADER.encode() + b"\n" + data, "csv"):
        assert got.HasField("entry") or reason_of(got) in ROW_REASONS


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text):
    for got in read(f"{HEADER}\n{text}".encode(errors="replace"), "csv"):
        assert got.HasField("entry") or reason_of(got) in ROW_REASONS
