"""JSON Lines of entries: every field is read, and what is wrong with a row is said of that row alone."""

from __future__ import annotations

import base64
import io
import json
import os
import tracemalloc
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.exchange import jsonl
from borderpost.exchange.choices import Choices
from borderpost.exchange.fields import MAX_PICTURE_BYTES, Defaults
from borderpost.exchange.files import Source, _Format
from borderpost.exchange.problems import ROW_REASONS, FileUnusableError
from borderpost.exchange.samples import write_samples
from borderpost.runtime.clock import from_timestamp
from borderpost.v1 import types_pb2
from fakes.exchange import ROW, entries, read, reason_of, source

CONTENT = "Somebodysname"


def row(extra: str = "") -> bytes:
    return (ROW % extra).encode()


def one(extra: str):
    (only,) = read(row(extra), "jsonl")
    return only


def test_every_field_is_read():
    values = np.array([0.6, 0.8], dtype="<f4").tobytes()
    picture = b"\xff\xd8picture"
    line = {
        "record_id": "r1",
        "names": [{"primary_identifier": "ÅBERG", "secondary_identifier": "EVA", "native": "Åberg"}],
        "birth_date": "1980-07-XX",
        "sex": "F",
        "nationalities": ["UTO", "D"],
        "documents": [{"document_code": "P", "issuing_state": "UTO", "number": "L898902C3"}],
        "reason_code": "A1",
        "source_reference": "4711/26",
        "valid_from": "2026-01-01",
        "valid_until": "2027-12-31",
        "templates": [{"model_id": "m", "values": base64.b64encode(values).decode()}],
        "pictures": [{"base64": base64.b64encode(picture).decode()}],
    }
    (got,) = read(json.dumps(line).encode(), "jsonl")
    assert got.record_id == "r1"
    entry = got.entry
    assert (entry.names[0].primary_identifier, entry.names[0].native) == ("ÅBERG", "Åberg")
    assert entry.birth_date == types_pb2.PartialDate(year=1980, month=7)
    assert (entry.sex, list(entry.nationalities)) == ("F", ["UTO", "D"])
    assert entry.documents[0].number == "L898902C3"
    assert from_timestamp(entry.valid_from) == datetime(2026, 1, 1, tzinfo=UTC)
    assert from_timestamp(entry.valid_until) == datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert (entry.templates[0].dimension, entry.templates[0].values) == (2, values)
    assert list(entry.pictures) == [picture]


@settings(deadline=None)
@given(st.lists(entries(), max_size=4))
def test_what_is_written_is_read_again(written):
    out = io.BytesIO()
    assert jsonl.write_entries(out, written) == len(written)
    rows = read(out.getvalue(), "jsonl")
    assert [got.record_id for got in rows] == [entry.entry_id for entry in written]
    for entry in written:
        entry.entry_id = ""
    assert [got.entry for got in rows] == written


@pytest.mark.parametrize(
    ("extra", "reason", "field"),
    [
        (',"sex":1', "ROW_FIELD_INVALID", "sex"),
        (',"sex":null', "ROW_FIELD_INVALID", "sex"),
        (f',"gender":"{CONTENT}"', "ROW_FIELD_UNKNOWN", ""),
        (f',"names":[{{"surname":"{CONTENT}"}}]', "ROW_FIELD_UNKNOWN", "names[0]"),
        (',"names":"x"', "ROW_FIELD_INVALID", "names"),
        (',"names":[[]]', "ROW_FIELD_INVALID", "names[0]"),
        (',"names":[{"secondary_identifier":"x"}]', "ROW_FIELD_MISSING", "names[0].primary_identifier"),
        (f',"names":[{",".join(["{}"] * 17)}]', "ROW_FIELD_INVALID", "names"),
        (
            ',"names":[{"primary_identifier":"%s"}]' % ("x" * 1001),
            "ROW_FIELD_INVALID",
            "names[0].primary_identifier",
        ),
        (',"names":[{"primary_identifier":"\\ud800"}]', "ROW_FIELD_INVALID", "names[0].primary_identifier"),
        (f',"birth_date":"{CONTENT}"', "ROW_FIELD_INVALID", "birth_date"),
        (',"birth_date":"1981-02-29"', "ROW_FIELD_INVALID", "birth_date"),
        (',"birth_date":"1981-00-01"', "ROW_FIELD_INVALID", "birth_date"),
        (',"birth_date":"1981-01-00"', "ROW_FIELD_INVALID", "birth_date"),
        (',"birth_date":"0000-01-01"', "ROW_FIELD_INVALID", "birth_date"),
        (f',"valid_from":"{CONTENT}"', "ROW_FIELD_INVALID", "valid_from"),
        (',"valid_from":"2026-13-01"', "ROW_FIELD_INVALID", "valid_from"),
        (',"valid_from":"2026-01-01T25:00:00Z"', "ROW_FIELD_INVALID", "valid_from"),
        (',"valid_from":"0000-01-01T00:00:00Z"', "ROW_FIELD_INVALID", "valid_from"),
        (',"documents":[{"document_code":"P"}]', "ROW_FIELD_MISSING", "documents[0].issuing_state"),
        (',"templates":[{"model_id":"m","values":"!!!!"}]', "ROW_FIELD_INVALID", "templates[0].values"),
        (',"templates":[{"model_id":"m","values":"AAA="}]', "ROW_FIELD_INVALID", "templates[0].values"),
        (',"pictures":[{}]', "ROW_FIELD_INVALID", "pictures[0]"),
        (',"pictures":[{"base64":"AAAA","path":"a"}]', "ROW_FIELD_INVALID", "pictures[0]"),
        (',"pictures":[{"path":"a.jpg"}]', "ROW_PICTURE_UNREADABLE", "pictures[0].path"),
        (',"sex":1e999', "ROW_FIELD_INVALID", "sex"),
    ],
)
def test_a_wrong_field_is_named_and_what_stood_there_is_not_told(extra, reason, field):
    got = one(extra)
    assert (reason_of(got), got.error.field) == (reason, field)
    assert CONTENT not in str(got)
    assert got.error.message.startswith("line 1: ")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[" * 9_000, "ROW_NOT_JSON"),
        (b'{"a":' * 9_000, "ROW_NOT_JSON"),
        (b"[" * 1_000_000, "ROW_NOT_JSON"),
        (b'{"record_id":' + b"9" * 5_000 + b"}", "ROW_NOT_JSON"),
        (b'{"record_id":NaN}', "ROW_NOT_JSON"),
        (b'{"record_id":"a","record_id":"b"}', "ROW_NOT_JSON"),
        (b"[]", "ROW_NOT_JSON"),
        (b"1", "ROW_NOT_JSON"),
        (b"null", "ROW_NOT_JSON"),
        (b'{"record_id":"a"', "ROW_NOT_JSON"),
        (b'{"record_id":"\xff"}', "ROW_NOT_UTF8"),
        ('{"record_id":"a"}'.encode("utf-16"), "ROW_NOT_UTF8"),
    ],
)
def test_a_hostile_line_is_its_own_rows_error_and_the_others_are_read(line, reason):
    before, bad, after = read(b"\n".join([row(), line, row()]), "jsonl")
    assert reason_of(bad) == reason
    assert before.entry == after.entry
    assert bad.error.message.startswith("line 2: ")


@pytest.mark.parametrize(
    "extra", [',"sex":1', ',"gender":"F"', ',"names":[{}]', ',"birth_date":"1981-02-29"']
)
def test_a_row_in_error_has_its_record_id(extra):
    got = one(extra)
    assert reason_of(got) in ROW_REASONS
    assert got.record_id == "r1"


@pytest.mark.parametrize(
    "line",
    [
        b'{"record_id":"r1"',
        b'{"record_id":"r1","record_id":"r2"}',
        b'{"record_id":7}',
        b'{"record_id":" "}',
        row().replace(b"r1", b" "),
        row().replace(b"r1", b"r1\\t"),
        b'{"record_id":"\\ud800"}',
        b'{"record_id":"%s"}' % (b"r" * 201),
        b"{}",
    ],
)
def test_a_row_without_a_record_id_that_can_be_read_has_none(line):
    (got,) = read(line, "jsonl")
    assert reason_of(got) in ROW_REASONS
    assert got.record_id == ""


@pytest.mark.parametrize("extra", [0, 1, 100_000])
def test_a_line_that_is_too_long_is_passed_over_without_being_held(monkeypatch, extra):
    monkeypatch.setattr("borderpost.exchange.files._FORMATS", {"jsonl": shortened(200)})
    long = row() + b" " * (201 - len(row()) + extra)
    good, bad, other, last = read(b"\n".join([row(), long, row(), long]), "jsonl")
    assert (reason_of(bad), reason_of(last)) == ("ROW_TOO_LONG", "ROW_TOO_LONG")
    assert good.entry == other.entry
    assert read(long[:200], "jsonl")[0].entry == good.entry


def shortened(longest):
    return _Format(longest, jsonl.count_rows, jsonl.read_rows)


@pytest.mark.parametrize(
    ("name", "told"), [("gender", "gender"), ("ge\\u0000n\\nder", "gender"), ("g" * 99, "g" * 40)]
)
def test_a_field_that_is_not_known_is_named_as_far_as_it_can_be_shown(name, told):
    assert one(f',"{name}":1').error.message.startswith(f"line 1: row: got '{told}', which isn't known, want")
    nested = one(f',"names":[{{"{name}":1}}]').error.message
    assert nested.startswith(f"line 1: names[0]: got '{told}', which isn't known, want primary_identifier")


def test_blank_lines_a_byte_order_mark_and_other_line_ends_say_nothing():
    rows = read(b"\xef\xbb\xbf" + row() + b"\r\n\r\n  \n" + row(), "jsonl")
    assert [got.HasField("entry") for got in rows] == [True, True]


def test_an_empty_file_has_no_rows():
    assert read(b"", "jsonl") == []


@pytest.mark.parametrize("lacking", ["record_id", "reason_code", "source_reference", "valid_until"])
def test_what_every_entry_needs_is_asked_for(lacking):
    line = json.loads(row())
    del line[lacking]
    (got,) = read(json.dumps(line).encode(), "jsonl")
    assert (reason_of(got), got.error.field) == ("ROW_FIELD_MISSING", lacking)


def test_defaults_stand_where_a_row_says_nothing_and_only_there(tmp_path):
    end = datetime(2029, 1, 1, tzinfo=UTC)
    choices = Choices(tmp_path, Defaults(end, "B2"))
    bare = b'{"record_id":"r2","source_reference":"s"}'
    first, second = read(bare + b"\n" + row(), "jsonl", choices)
    assert (from_timestamp(first.entry.valid_until), first.entry.reason_code) == (end, "B2")
    assert (from_timestamp(second.entry.valid_until).year, second.entry.reason_code) == (2030, "A1")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data):
    for got in read(data, "jsonl"):
        assert reason_of(got) in ROW_REASONS


@settings(deadline=None)
@given(st.data())
def test_a_cut_or_flipped_line_is_read_or_is_an_error_of_its_row(data):
    line = bytearray(row(',"names":[{"primary_identifier":"X"}],"birth_date":"1980-01-02"'))
    place = data.draw(st.integers(0, len(line) - 1))
    if data.draw(st.booleans()):
        line[place] ^= data.draw(st.integers(1, 255))
    else:
        del line[place:]
    for got in read(bytes(line), "jsonl"):
        assert got.HasField("entry") or reason_of(got) in ROW_REASONS


def test_a_picture_is_read_beside_the_file_and_nowhere_else(tmp_path):
    folder = tmp_path / "export"
    (folder / "faces").mkdir(parents=True)
    (folder / "faces" / "a.jpg").write_bytes(b"face")
    (tmp_path / "outside.jpg").write_bytes(b"outside")
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "out").symlink_to(tmp_path)
    (folder / "empty.jpg").touch()
    (folder / "large.jpg").write_bytes(bytes(MAX_PICTURE_BYTES + 1))
    choices = Choices(folder)

    def pictures(path):
        (got,) = read(row(f',"pictures":[{{"path":{json.dumps(path)}}}]'), "jsonl", choices)
        return list(got.entry.pictures) if got.HasField("entry") else reason_of(got)

    assert pictures("faces/a.jpg") == [b"face"]
    for path in (
        "link.jpg",
        "out/outside.jpg",
        "../outside.jpg",
        "faces/../../outside.jpg",
        str(tmp_path / "outside.jpg"),
        "faces",
        "faces/",
        "./faces/a.jpg",
        "empty.jpg",
        "large.jpg",
        "none.jpg",
        "a\0b",
        "x" * 300,
    ):
        assert pictures(path) == "ROW_PICTURE_UNREADABLE", path


def test_a_pipe_in_a_pictures_place_does_not_hold_the_reader_up(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (got,) = read(row(',"pictures":[{"path":"pipe"}]'), "jsonl", Choices(tmp_path))
    assert reason_of(got) == "ROW_PICTURE_UNREADABLE"


def test_a_picture_that_is_too_large_is_refused_however_it_comes():
    data = base64.b64encode(bytes(MAX_PICTURE_BYTES + 1)).decode()
    assert reason_of(one(f',"pictures":[{{"base64":"{data}"}}]')) == "ROW_FIELD_INVALID"
    data = base64.b64encode(bytes(MAX_PICTURE_BYTES)).decode()
    assert len(one(f',"pictures":[{{"base64":"{data}"}}]').entry.pictures[0]) == MAX_PICTURE_BYTES


def test_a_file_that_changes_between_counting_and_reading_is_told_of():
    file = io.BytesIO(row())
    opened = source(b"", "jsonl")
    opened._file = file
    facts = opened.facts()
    file.seek(0)
    file.write(row().replace(b"A1", b"B2"))
    with pytest.raises(FileUnusableError, match="changed"):
        list(opened.rows(facts))


def test_no_more_than_a_row_is_held(tmp_path):
    path = tmp_path / "large.jsonl"
    with path.open("wb") as out:
        write_samples(out, 3000, seed=1, dimension=1024, model_id="m")
    size = path.stat().st_size
    tracemalloc.start()
    try:
        with Source(path.open("rb"), "jsonl", Choices(tmp_path)) as opened:
            count = sum(1 for _ in opened.rows(opened.facts()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 3000
    assert peak < size / 10
