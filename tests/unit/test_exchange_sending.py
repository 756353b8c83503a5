"""Imports from the importer's side: in batches that the services take, once each, whatever breaks on the way."""

from __future__ import annotations

import hashlib
import io
from itertools import pairwise
from pathlib import Path

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from borderpost.exchange import batches as portions
from borderpost.exchange.desk import PAUSES
from borderpost.exchange.problems import FileUnusableError
from borderpost.exchange.resuming import Notes
from borderpost.exchange.samples import write_samples
from borderpost.exchange.sending import (
    ENDED,
    MOST_LOOKS,
    ImportDroppedError,
    Importer,
    Order,
    with_record_ids,
)
from borderpost.exchange.transfer import fetch_bundle, write_bundle
from borderpost.runtime.clock import is_id, new_id
from borderpost.runtime.errors import BorderpostError, UnavailableError
from borderpost.v1 import watchlist_pb2
from fakes.exchange import source
from fakes.exchange_desk import AWAY, BUSY, BreakError, FakeDesk, remote

ORDER = Order("list", "Ministry", complete=True)
MIB = 1024 * 1024


def samples(count: int) -> bytes:
    out = io.BytesIO()
    write_samples(out, count, seed=1)
    return out.getvalue()


class Import:
    """One run of the command; several runs share the desk and the notes."""

    def __init__(self, desk: FakeDesk, folder: Path, data: bytes, order: Order = ORDER) -> None:
        self.desk = desk
        self.source = source(data, "jsonl")
        self.facts = self.source.facts()
        self.pauses: list[float] = []
        self.done: list[int] = []
        self.importer = Importer(desk, Notes(folder, self.facts.sha256), order, self.pauses.append)

    def run(self, *, dry_run: bool = False, skip_errors: bool = False) -> watchlist_pb2.Import:
        sent = self.importer.send(self.source, self.facts, self.done.append)
        if sent.state != watchlist_pb2.IMPORT_STATE_STAGING:
            return sent
        return self.importer.finish(sent.import_id, skip_errors=skip_errors, dry_run=dry_run)


def test_every_row_is_sent_once_and_the_import_is_proposed(tmp_path):
    desk = FakeDesk()
    done = Import(desk, tmp_path, samples(1203))
    finished = done.run()
    assert finished.state == watchlist_pb2.IMPORT_STATE_PROPOSED
    assert (finished.added, finished.rows) == (1203, 1203)
    assert [len(request.rows) for request in desk.made("StageRows")] == [500, 500, 203]
    assert done.done == [0, 500, 1000, 1203]
    (begun,) = desk.made("BeginImport")
    assert (begun.list_id, begun.source, begun.complete) == ("list", "Ministry", True)
    assert begun.content_sha256 == hashlib.sha256(samples(1203)).digest()


def test_an_import_that_broke_off_goes_on_where_it_was(tmp_path):
    desk = FakeDesk(trouble={"StageRows": [None, BreakError()]})
    with pytest.raises(BreakError):
        Import(desk, tmp_path, samples(1203)).run()
    again = Import(desk, tmp_path, samples(1203))
    finished = again.run()
    assert again.done[0] == 500
    assert (finished.added, len(desk.imports)) == (1203, 1)
    assert sum(len(request.rows) for request in desk.made("StageRows")[2:]) == 703


def test_one_that_broke_off_without_its_answer_sends_again_and_is_counted_once(tmp_path):
    """The service had taken the rows, and the answer was lost."""
    desk = FakeDesk()
    first = Import(desk, tmp_path, samples(600))
    real = desk.stage_rows

    def lose(request):
        real(request)
        desk.stage_rows = real
        raise AWAY

    desk.stage_rows = lose
    assert first.run().added == 600
    assert first.pauses == [PAUSES[0]]


def test_another_file_list_source_or_choice_is_another_import(tmp_path):
    desk = FakeDesk()
    for data, order in [
        (samples(3), ORDER),
        (samples(4), ORDER),
        (samples(3), Order("other", "Ministry", complete=True)),
        (samples(3), Order("list", "Other", complete=True)),
        (samples(3), Order("list", "Ministry", complete=False)),
        (samples(3), Order("list", "Ministry", complete=True, asked=("2030-01-01",))),
    ]:
        Import(desk, tmp_path, data, order).run()
    assert len(desk.imports) == 6


def test_a_dry_run_leaves_the_import_open_and_its_rows_are_not_sent_twice(tmp_path):
    desk = FakeDesk()
    assert Import(desk, tmp_path, samples(3)).run(dry_run=True).state == watchlist_pb2.IMPORT_STATE_STAGING
    assert Import(desk, tmp_path, samples(3)).run().state == watchlist_pb2.IMPORT_STATE_PROPOSED
    assert len(desk.made("StageRows")) == 1


def test_an_import_that_waits_for_its_second_person_is_not_begun_again(tmp_path):
    desk = FakeDesk()
    first = Import(desk, tmp_path, samples(3)).run()
    again = Import(desk, tmp_path, samples(3)).run()
    assert again == first
    assert len(desk.made("FinishImport")) == 1


@pytest.mark.parametrize("end", ["APPLIED", "CANCELLED"])
def test_after_an_import_has_ended_the_same_file_is_a_new_one(tmp_path, end):
    desk = FakeDesk()
    first = Import(desk, tmp_path, samples(3)).run()
    desk.imports[first.import_id].state = watchlist_pb2.ImportState.Value(f"IMPORT_STATE_{end}")
    second = Import(desk, tmp_path, samples(3)).run()
    assert second.import_id != first.import_id
    assert second.state == watchlist_pb2.IMPORT_STATE_PROPOSED


def test_a_note_of_an_import_of_other_content_is_forgotten(tmp_path):
    desk = FakeDesk()
    one = Import(desk, tmp_path, samples(3))
    import_id = Notes(tmp_path, one.facts.sha256).id_for(*ORDER.key)
    desk.imports[import_id] = watchlist_pb2.Import(import_id=import_id, rows=9)
    assert one.run().import_id != import_id


@pytest.mark.parametrize("where", ["StageRows", "FinishImport"])
def test_an_import_that_the_list_has_outrun_is_dropped_and_the_next_one_is_new(tmp_path, where):
    stale = remote(grpc.StatusCode.FAILED_PRECONDITION, "IMPORT_STALE")
    desk = FakeDesk(trouble={where: [stale]})
    with pytest.raises(BorderpostError, match="stale") as error:
        Import(desk, tmp_path, samples(3)).run()
    assert "with the same command (`borderpost watchlist import`)" in error.value.message
    assert Import(desk, tmp_path, samples(3)).run().added == 3
    assert len(desk.imports) == 2


def test_an_import_that_the_service_knows_no_longer_is_begun_anew(tmp_path):
    desk = FakeDesk()
    Import(desk, tmp_path, samples(3)).run(dry_run=True)
    desk.imports.clear()
    assert Import(desk, tmp_path, samples(3)).run().added == 3
    assert len(desk.made("StageRows")) == 2


@pytest.mark.parametrize("end", [*ENDED, None])
def test_a_noted_import_is_found_again_until_it_has_ended(tmp_path, end):
    desk = FakeDesk()
    one = Import(desk, tmp_path, samples(3))
    assert one.importer.noted() is None
    begun = one.run()
    assert one.importer.noted() == begun
    if end is None:
        desk.imports.clear()
    else:
        desk.imports[begun.import_id].state = end
    assert one.importer.noted() is None


def test_what_else_is_wrong_with_a_noted_import_is_told(tmp_path):
    desk = FakeDesk(trouble={"GetImport": [remote(grpc.StatusCode.PERMISSION_DENIED, "LIST_NOT_PERMITTED")]})
    one = Import(desk, tmp_path, samples(3))
    one.run()
    with pytest.raises(BorderpostError, match="list_not_permitted"):
        one.importer.noted()


def test_rows_in_error_are_paired_with_their_record_ids():
    rows = [watchlist_pb2.ImportRow(row=number, record_id=f"r{number}") for number in range(1, 5)]
    errors = [watchlist_pb2.RowError(row=number) for number in (2, 4, 9)]
    assert [found for _, found in with_record_ids(errors, rows)] == ["r2", "r4", ""]
    assert [found for _, found in with_record_ids(errors, ())] == ["", "", ""]


def test_a_service_that_is_away_is_asked_again_with_growing_pauses(tmp_path):
    desk = FakeDesk(trouble={"BeginImport": [AWAY, AWAY], "StageRows": [AWAY, BUSY]})
    one = Import(desk, tmp_path, samples(3))
    assert one.run().added == 3
    assert one.pauses == [0.5, 1.0, 0.5, 3.0]


def test_a_service_that_stays_away_ends_the_command(tmp_path):
    desk = FakeDesk(trouble={"StageRows": [AWAY] * 50})
    one = Import(desk, tmp_path, samples(3))
    with pytest.raises(BorderpostError, match="away"):
        one.run()
    assert one.pauses == list(PAUSES)
    assert all(before < after for before, after in pairwise(PAUSES))


def test_what_is_no_outage_is_not_tried_again(tmp_path):
    desk = FakeDesk(trouble={"BeginImport": [remote(grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")]})
    with pytest.raises(BorderpostError, match="not_permitted"):
        Import(desk, tmp_path, samples(3)).run()
    assert len(desk.calls) == 1


def test_rows_in_error_are_sent_as_such_and_all_of_them_can_be_had(tmp_path):
    desk = FakeDesk(bad_records={"sample-2", "sample-5"})
    data = b"{}\n" + samples(5) + b"no json\n"
    one = Import(desk, tmp_path, data)
    with pytest.raises(BorderpostError, match="import_has_errors"):
        one.run()
    (import_id,) = desk.imports
    errors = list(one.importer.errors(import_id))
    assert [(error.row, error.reason) for error in errors] == [
        (1, "ROW_FIELD_MISSING"),
        (3, "INVALID_REQUEST"),
        (6, "INVALID_REQUEST"),
        (7, "ROW_NOT_JSON"),
    ]
    with pytest.raises(BorderpostError, match="import_has_errors"):
        Import(desk, tmp_path, data).run(
            skip_errors=True
        )  # it is complete, and nobody knows of which records
    rows = desk.rows_of(import_id)
    assert [row.record_id for row in rows if row.HasField("error")] == ["", "sample-2", "sample-5", ""]
    partial = Order("list", "Ministry", complete=False)
    assert Import(desk, tmp_path, data, partial).run(skip_errors=True).added == 3


def test_a_file_that_changes_while_it_is_sent_is_not_finished(tmp_path):
    desk = FakeDesk()
    one = Import(desk, tmp_path, samples(3))
    one.source._file = io.BytesIO(samples(3).replace(b"SAMPLE", b"OTHER"))
    with pytest.raises(FileUnusableError, match="changed"):
        one.run()
    assert desk.made("FinishImport") == []


# Batches.


def a_row(number: int, size: int = 0, pictures: int = 0) -> watchlist_pb2.ImportRow:
    row = watchlist_pb2.ImportRow(row=number, record_id="x" * size)
    row.entry.pictures.extend([bytes(pictures)] if pictures else [])
    return row


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1000, MIB - 100]), st.sampled_from([0, 0, 0, 100, 4 * MIB])),
        max_size=12,
    )
)
def test_batches_hold_all_rows_in_order_within_the_bounds_of_a_call(sizes):
    rows = [a_row(number, *size) for number, size in enumerate(sizes, 1)]
    made = list(portions.batches(rows))
    assert [row for batch in made for row in batch.rows] == rows
    for batch in made:
        size = watchlist_pb2.StageRowsRequest(import_id=new_id(), rows=batch.rows).ByteSize()
        assert batch.with_pictures == any(row.entry.pictures for row in batch.rows)
        most_rows, most_bytes = (50, 12 * MIB) if batch.with_pictures else (500, 3 * MIB)
        assert 1 <= len(batch.rows) <= most_rows
        assert size <= most_bytes


def test_a_picture_in_a_long_batch_begins_a_new_one():
    rows = [a_row(number) for number in range(1, 100)] + [a_row(100, pictures=10)]
    assert [(len(batch.rows), batch.with_pictures) for batch in portions.batches(rows)] == [
        (99, False),
        (1, True),
    ]


# Notes.


def test_a_note_is_kept_and_only_its_owner_can_read_it(tmp_path):
    made = Notes(tmp_path / "imports", b"\1" * 32).id_for("a", "b")
    assert is_id(made)
    assert Notes(tmp_path / "imports", b"\1" * 32).id_for("a", "b") == made
    assert Notes(tmp_path / "imports", b"\2" * 32).id_for("a", "b") != made
    assert Notes(tmp_path / "imports", b"\1" * 32).id_for("a") != made
    (path, _) = sorted((tmp_path / "imports").iterdir())
    assert path.name == f"{'01' * 32}.json"
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"a":1}', "\xff"])
def test_a_damaged_note_is_a_new_import(tmp_path, text):
    notes = Notes(tmp_path, bytes(32))
    (tmp_path / f"{'00' * 32}.json").write_text(text, encoding="latin-1")
    made = notes.id_for("a")
    assert is_id(made)
    assert notes.id_for("a") == made


# Bundles on their way.


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, 3 * MIB])
def test_a_bundle_is_fetched_whole(size):
    desk = FakeDesk(bundle=bytes(size), trouble={"ReadBundle": [AWAY]})
    out, done = io.BytesIO(), []
    made = desk.make_bundle(None)
    fetch_bundle(desk, made, out, done.append, lambda _: None)
    assert out.getvalue() == desk.bundle
    assert done[-1:] == ([size] if size else [])


def test_a_bundle_that_is_not_what_was_made_is_refused():
    desk = FakeDesk(bundle=b"abc")
    made = desk.make_bundle(None)
    for wrong in (b"abd", b"ab", b"", b"abcd"):
        desk.bundle = wrong
        with pytest.raises(FileUnusableError):
            fetch_bundle(desk, made, io.BytesIO(), lambda _: None)


def written(desk: FakeDesk, data: bytes) -> watchlist_pb2.WriteBundleResponse:
    return write_bundle(desk, "b", io.BytesIO(data), len(data), lambda _: None, lambda _: None)


@pytest.mark.parametrize("size", [4, MIB, MIB + 1, 3 * MIB])
def test_a_bundle_is_written_whole_and_again_without_harm(size):
    data = b"good" + bytes(size - 4)
    desk = FakeDesk(trouble={"WriteBundle": [AWAY]})
    for _ in range(2):
        answer = written(desk, data)
        assert (answer.offset, answer.partner) == (size, "Utopia")
        assert desk.written == {"b": data}


def test_an_upload_that_broke_off_goes_on_where_it_was():
    data = b"good" + bytes(5 * MIB)
    desk = FakeDesk(trouble={"WriteBundle": [None, None, None, BreakError()]})
    with pytest.raises(BreakError):
        written(desk, data)
    desk.calls.clear()
    written(desk, data)
    assert desk.written["b"] == data
    assert [request.offset // MIB for request in desk.made("WriteBundle")] == [0, 3, 4, 5]


def taking(desk: FakeDesk, folder: Path) -> Importer:
    return Importer(desk, Notes(folder, bytes(32)), Order("list", "", complete=False), lambda _: None)


def test_it_is_waited_until_the_service_has_taken_the_rows_of_a_bundle(tmp_path):
    desk = FakeDesk(checked={"b"})
    done: list[int] = []
    taken = taking(desk, tmp_path).take_bundle("b", done.append)
    assert (taken.next_row, taken.rows) == (4, 3)
    assert done == [0, 1, 2]


def test_a_bundle_whose_import_was_dropped_while_it_was_taken_is_told_of(tmp_path):
    desk = FakeDesk(checked={"b"}, takes=False)
    importer = taking(desk, tmp_path)
    outrun = importer._sleep

    def drop(seconds):
        outrun(seconds)
        for kept in desk.imports.values():
            kept.state = watchlist_pb2.IMPORT_STATE_CANCELLED

    importer._sleep = drop
    with pytest.raises(ImportDroppedError, match="import the file again"):
        importer.take_bundle("b", lambda _: None)


def test_a_service_that_takes_no_more_rows_of_a_bundle_is_not_waited_for_for_ever(tmp_path):
    desk = FakeDesk(checked={"b"}, takes=False)
    with pytest.raises(UnavailableError, match="same command again"):
        taking(desk, tmp_path).take_bundle("b", lambda _: None)
    assert len(desk.made("GetImport")) == MOST_LOOKS


def test_a_bundle_that_is_refused_is_an_error():
    with pytest.raises(BorderpostError, match="bundle_invalid"):
        written(FakeDesk(), b"bad")


class Forgetful(FakeDesk):
    """A gateway whose service is started again at the third part, so many times."""

    restarts = 1

    def write_bundle(self, request):
        if request.offset == 2 * MIB and self.restarts:
            self.restarts -= 1
            self.written.clear()
        return super().write_bundle(request)


def test_an_upload_begins_anew_where_the_service_was_started_again():
    data = b"good" + bytes(3 * MIB)
    desk = Forgetful()
    assert written(desk, data).rows == 3
    assert desk.written["b"] == data


def test_an_upload_does_not_begin_anew_for_ever():
    desk = Forgetful()
    desk.restarts = 50
    with pytest.raises(BorderpostError, match="offset"):
        written(desk, b"good" + bytes(3 * MIB))


def test_a_bundle_that_changes_while_it_is_written_is_told_of():
    with pytest.raises(FileUnusableError, match="changed"):
        write_bundle(FakeDesk(), "b", io.BytesIO(b"good"), 5, lambda _: None)


def test_a_service_that_has_another_bundle_of_this_id_is_told_of():
    desk = FakeDesk(written={"b": bytes(9 * MIB)})
    with pytest.raises(FileUnusableError, match="another"):
        written(desk, b"good" + bytes(2 * MIB))
