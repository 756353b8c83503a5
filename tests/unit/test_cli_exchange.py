"""The commands of imports, exports and bundles: what they ask for, what they write, what they say to whom."""

from __future__ import annotations

import hashlib
import json

import grpc
import pytest
from typer.testing import CliRunner

from borderpost.cli import watchlist_exchange
from borderpost.cli.watchlist import app
from borderpost.exchange import sending
from borderpost.exchange.samples import sample_entries, write_samples
from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import BorderpostError, InvalidRequestError
from borderpost.v1 import types_pb2, watchlist_pb2
from fakes.exchange_desk import BreakError, FakeDesk, remote
from fakes.terminal import set_columns

LIST = new_id()
HOSTILE = "[/red] :smile: [bold]"


@pytest.fixture
def desk(monkeypatch, tmp_path):
    """The fake that every command talks to, and a state folder of the test's own."""
    made = FakeDesk(lists={"Wanted": LIST, "Twice": new_id()})
    made.people = []

    def person(settings, identity, purpose=""):
        made.people.append((identity, purpose))
        return made

    monkeypatch.setattr(watchlist_exchange, "Person", person)
    monkeypatch.setenv("BORDERPOST_STATE_DIR", str(tmp_path / "state"))
    set_columns(monkeypatch, 200)
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.0)
    return made


def run(*words: object, fails: type[BaseException] | None = None) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if fails is None:
        assert done.exit_code == 0, (done.output, done.exception)
    else:
        assert isinstance(done.exception, fails), (done.output, done.exception)
    return done.stdout


def failing(*words: object) -> BorderpostError:
    """What went wrong with a command."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(done.exception, BorderpostError), (done.output, done.exception)
    return done.exception


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "wanted.jsonl"
    with path.open("wb") as out:
        write_samples(out, 3, seed=1)
    return path


def import_words(file, *more):
    return ("import", file, "--list", "Wanted", "--source", "Ministry", *more)


def test_an_import_tells_the_diff_and_how_the_second_person_approves_it(desk, file):
    said = run(*import_words(file))
    (import_id,) = desk.imports
    assert "3 rows: 3 new, 0 changed, 0 as they were." in said
    assert f"borderpost watchlist import-approve {import_id}" in said
    (begun,) = desk.made("BeginImport")
    assert (begun.list_id, begun.source, begun.complete) == (LIST, "Ministry", False)
    assert desk.people == [("list-manager/dev", "")]


def test_nothing_but_the_answer_is_printed_where_no_progress_is_seen(desk, file):
    done = CliRunner().invoke(app, [str(word) for word in import_words(file)])
    assert done.stderr == ""
    assert done.stdout.startswith("3 rows")


def test_the_whole_way_of_an_import(desk, file):
    import_id = json.loads(run(*import_words(file, "--complete", "--json")))["import"]["import_id"]
    shown = run("import-show", import_id)
    assert "proposed" in shown
    assert "0 to be removed" in shown
    assert "version 7" in run("import-approve", import_id)
    assert desk.people[-1][0] == "approver/dev-second"
    assert json.loads(run("import-show", import_id, "--json"))["import"]["state"] == "IMPORT_STATE_APPLIED"
    again = json.loads(run(*import_words(file, "--complete", "--json")))["import"]
    assert again["import_id"] != import_id
    assert "Dropped" in run("import-cancel", again["import_id"])


def test_a_command_that_was_killed_goes_on_when_it_is_given_again(desk, file):
    with file.open("wb") as out:
        write_samples(out, 900, seed=1)
    desk.trouble["StageRows"] = [None, BreakError()]
    run(*import_words(file), fails=BreakError)
    assert "900 new" in run(*import_words(file))
    assert len(desk.imports) == 1
    assert [len(request.rows) for request in desk.made("StageRows")] == [500, 400, 400]


def test_a_dry_run_says_that_nothing_was_done_and_the_import_goes_on_without_it(desk, file):
    assert "Nothing was done" in run(*import_words(file, "--dry-run"))
    assert [kept.state for kept in desk.imports.values()] == [watchlist_pb2.IMPORT_STATE_STAGING]
    assert "import-approve" in run(*import_words(file))
    assert len(desk.made("StageRows")) == 1


@pytest.fixture
def same(desk, monkeypatch):
    """A gateway whose list has every row as it is."""
    stage = desk._stage

    def unchanged(answer, request):
        staged = stage(answer, request)
        kept = desk.imports[request.import_id]
        kept.unchanged, kept.added = kept.added, 0
        return staged

    monkeypatch.setattr(desk, "_stage", unchanged)
    return desk


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_an_import_that_changes_nothing_says_so_and_waits_for_nobody(same, file, dry):
    said = run(*import_words(file, *dry))
    assert "Nothing changes" in said
    assert "import-approve" not in said
    assert [kept.state for kept in same.imports.values()] == [watchlist_pb2.IMPORT_STATE_CANCELLED]
    assert "Nothing changes" in run(*import_words(file, *dry))
    assert len(same.imports) == 2


def test_an_import_that_only_removes_waits_for_approval(same, file):
    finish = same.finish_import

    def removing(request):
        same.imports[request.import_id].removed = 19_999
        return finish(request)

    same.finish_import = removing
    said = run(*import_words(file, "--complete"))
    (import_id,) = same.imports
    for text in (said, run("import-show", import_id)):
        assert "19,999 to be REMOVED: entries of Ministry that the file hasn't." in text
        assert "borderpost watchlist list --list Wanted --state proposed" in text
        assert f"borderpost watchlist import-approve {import_id}" in text
    assert "19,999 entries removed" in run("import-approve", import_id)
    applied = run("import-show", import_id)
    assert "19,999 entries" in applied
    assert "REMOVED" not in applied


def test_removals_are_not_said_to_be_none_before_they_are_known(desk, file):
    run(*import_words(file, "--complete", "--dry-run"))
    (import_id,) = desk.imports
    shown = run("import-show", import_id)
    assert "known when the import is finished" in shown
    assert "0 to be removed" not in shown
    assert "borderpost watchlist import FILE" in shown


def test_a_list_is_shown_by_its_name_and_its_id(desk, file):
    said = run("import", file, "--list", "Twice", "--source", "x")
    assert f"List Twice ({desk.lists['Twice']})" in said
    (import_id,) = desk.imports
    assert f"Twice ({desk.lists['Twice']})" in run("import-show", import_id)
    del desk.lists["Twice"]
    assert "Twice" not in run("import-show", import_id)


def test_a_command_to_copy_is_on_one_line_and_quotes_what_a_shell_would_part(desk, file, monkeypatch):
    set_columns(monkeypatch, 40)
    name = "Wanted; too, and more of them"
    desk.lists[name] = new_id()
    command = f"  borderpost watchlist list --list '{name}' --state proposed\n"
    assert command in run("import", file, "--list", name, "--source", "x")
    (import_id,) = desk.imports
    assert command in run("import-show", import_id)


def test_a_dropped_import_is_said_to_be_dropped(desk, file):
    run(*import_words(file))
    (import_id,) = desk.imports
    run("import-cancel", import_id)
    shown = run("import-show", import_id)
    assert "was dropped" in shown
    assert "borderpost watchlist import FILE" in shown


def test_who_approves_an_import_that_the_list_has_outrun_is_told_that_it_was_dropped(desk, file):
    run(*import_words(file))
    (import_id,) = desk.imports
    desk.trouble["ApproveImport"] = [remote(grpc.StatusCode.FAILED_PRECONDITION, "IMPORT_STALE")]
    error = failing("import-approve", import_id)
    assert "was dropped" in error.message
    assert "`borderpost watchlist import`" in error.message
    desk.trouble["ApproveImport"] = [remote(grpc.StatusCode.FAILED_PRECONDITION, "SECOND_PERSON_NEEDED")]
    assert failing("import-approve", import_id).message == "second_person_needed"


def test_a_dry_run_of_what_is_finished_already_does_nothing_and_asks_nobody_to_approve(desk, file):
    run(*import_words(file))
    said = run(*import_words(file, "--dry-run"))
    assert "finished before" in said
    assert "import-approve" not in said
    assert [kept.state for kept in desk.imports.values()] == [watchlist_pb2.IMPORT_STATE_PROPOSED]


def test_rows_in_error_stop_it_are_shown_and_are_all_in_the_report(desk, file, tmp_path):
    file.write_bytes(file.read_bytes() + b"no json\n" * 30)
    desk.bad_records = {"sample-2"}
    report = tmp_path / "errors.jsonl"
    said = run(*import_words(file, "--report", report), fails=BorderpostError)
    assert "INVALID_REQUEST" in said
    assert "line 4: row: got text that stops being JSON" in said
    assert "11 more" in said
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert [line["row"] for line in lines] == [2, *range(4, 34)]
    assert lines[1]["reason"] == "ROW_NOT_JSON"
    assert report.stat().st_mode & 0o077 == 0
    assert lines[0]["record_id"] == "sample-2"
    assert "record_id" not in lines[1]
    assert "sample-2" not in said
    assert "--report FILE" in run(*import_words(file), fails=BorderpostError)


def test_rows_in_error_can_be_left_out(desk, file):
    file.write_bytes(file.read_bytes() + b"no json\n")
    assert "4 rows: 3 new, 0 changed, 0 as they were, 1 in error." in run(
        *import_words(file, "--skip-errors")
    )
    assert desk.made("FinishImport")[-1].skip_errors


def test_a_dry_run_tells_the_diff_in_spite_of_errors(desk, file):
    file.write_bytes(file.read_bytes() + b"no json\n")
    said = run(*import_words(file, "--dry-run"))
    assert "3 new" in said
    assert "1 row can't be used: the same command without --dry-run stops there" in said
    assert "--skip-errors" in said
    assert "leaves them out" in run(*import_words(file, "--dry-run", "--skip-errors"))


def test_a_complete_import_with_errors_of_nobody_knows_whom_says_what_can_be_done(desk, file):
    file.write_bytes(file.read_bytes() + b"no json\n")
    words = import_words(file, "--complete", "--skip-errors")
    error = failing(*words)
    assert "--report FILE" in error.message
    assert "without --complete" in error.message
    assert "must have a record id" in run(*words, "--dry-run")


def test_a_complete_import_leaves_out_rows_of_known_records(desk, file):
    file.write_bytes(file.read_bytes() + b'{"record_id":"r9","sex":1}\n')
    assert "import-approve" in run(*import_words(file, "--complete", "--skip-errors"))


def test_rows_with_pictures_go_to_the_gateway_to_be_looked_at(desk, file, tmp_path):
    (tmp_path / "face.jpg").write_bytes(b"face")
    row = {
        "record_id": "r1",
        "reason_code": "A1",
        "source_reference": "s",
        "valid_until": "2030-01-01",
        "pictures": [{"path": "face.jpg"}],
    }
    file.write_text(json.dumps(row))
    run(*import_words(file))
    (staged,) = desk.made("StageImportRows")
    assert list(staged.rows[0].entry.pictures) == [b"face"]


def test_defaults_and_topics_are_given_to_the_reader_and_make_another_import(desk, tmp_path):
    person = {"id": "P1", "schema": "Person", "properties": {"name": ["Bela T"], "topics": ["wanted"]}}
    file = tmp_path / "entities.ftm.json"
    file.write_text("\n".join(json.dumps(person | {"id": f"P{number}"}) for number in range(2)))
    words = import_words(file, "--format", "ftm", "--valid-until")
    run(*words, "2030-06-30")
    run(*words, "2030-07-30", "--topic", "wanted")
    assert "0 rows" in run(*words, "2030-06-30", "--topic", "crime")
    assert len(desk.imports) == 3
    row = desk.made("StageRows")[0].rows[0]
    assert row.entry.valid_until.ToJsonString() == "2030-06-30T23:59:59Z"


def test_csv_is_known_by_its_name_and_another_format_is_asked_for(desk, file, tmp_path):
    table = tmp_path / "wanted.csv"
    table.write_text("record_id,reason_code,source_reference,valid_until\nr1,A1,s,2030-01-01\n")
    assert "1 row:" in run(*import_words(table))
    other = tmp_path / "wanted.json"
    other.write_bytes(file.read_bytes())
    for words, told in (
        (import_words(other), ".ndjson (jsonl)"),
        (import_words(other, "--format", "xml"), "got 'xml'"),
    ):
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 2
        assert told in done.stderr
    assert "3 rows" in run(*import_words(other, "--format", "jsonl"))


def test_followthemoney_needs_a_day_because_it_says_none(desk, file):
    done = CliRunner().invoke(app, [str(word) for word in import_words(file, "--format", "ftm")])
    assert done.exit_code == 2
    assert "valid-until" in done.stderr


@pytest.mark.parametrize("option", [("--topic", "wanted"), ("--delimiter", ";")])
def test_an_option_that_the_format_has_no_use_for_is_not_passed_over(desk, file, option):
    done = CliRunner().invoke(app, [str(word) for word in import_words(file, *option)])
    assert done.exit_code == 2
    assert option[0].removeprefix("--") in done.stderr
    assert desk.calls == []


def test_a_list_is_named_or_its_id_is_given(desk, file):
    run("import", file, "--list", LIST, "--source", "x")
    assert desk.made("ListWatchlists") == []
    run("import", file, "--list", "None", "--source", "x", fails=InvalidRequestError)


def test_an_export_writes_what_an_import_reads(desk, tmp_path):
    desk.entries = list(sample_entries(5, seed=1))
    for name in ("out.jsonl", "out.csv"):
        out = tmp_path / name
        said = run("export", "--list", "Wanted", "--out", out, "--purpose", "review")
        assert f"Wrote 5 entries of version 5 to {out}." in said.replace("\n", "")
        assert out.stat().st_mode & 0o077 == 0
        assert "5 rows: 5 new" in run("import", out, "--list", "Wanted", "--source", name)
    assert desk.people[0] == ("list-manager/dev", "review")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == [
        "out.jsonl",
        "out.csv",
    ]


def test_a_file_that_is_there_is_never_written_over(desk, file, tmp_path):
    before = file.read_bytes()
    run("export", "--list", "Wanted", "--out", file, "--purpose", "x", fails=InvalidRequestError)
    run(
        "bundle-make",
        "--list",
        "Wanted",
        "--partner",
        "p",
        "--out",
        file,
        "--purpose",
        "x",
        fails=InvalidRequestError,
    )
    assert file.read_bytes() == before


def test_an_export_that_breaks_off_leaves_nothing(desk, tmp_path):
    desk.entries = list(sample_entries(5, seed=1))
    desk.trouble["ExportEntries"] = [None, remote(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")]
    folder = tmp_path / "out"
    folder.mkdir()
    run("export", "--list", "Wanted", "--out", folder / "a.csv", "--purpose", "x", fails=BorderpostError)
    assert list(folder.iterdir()) == []


def test_a_bundle_is_made_fetched_and_named_by_its_digest(desk, tmp_path):
    desk.bundle = b"bundle" * 300_000
    out = tmp_path / "wanted.age"
    words = ("bundle-make", "--list", "Wanted", "--partner", "Utopia", "--out", out, "--purpose", "treaty")
    assert hashlib.sha256(desk.bundle).hexdigest() in run(*words, "--with-pictures")
    assert out.read_bytes() == desk.bundle
    assert out.stat().st_mode & 0o077 == 0
    (asked,) = desk.made("MakeBundle")
    assert (asked.partner, asked.with_pictures, asked.list_id) == ("Utopia", True, LIST)


def test_a_bundle_is_written_in_parts_and_imported_by_the_service(desk, tmp_path):
    bundle = tmp_path / "b.age"
    bundle.write_bytes(b"good" + bytes(3_000_000))
    desk.trouble["WriteBundle"] = [None, BreakError()]
    words = ("bundle-import", bundle, "--list", "Wanted", "--complete")
    run(*words, fails=BreakError)
    said = run(*words)
    assert "Signed by Utopia: 3 rows." in said
    assert "import-approve" in said
    (bundle_id,) = desk.sent
    assert desk.sent[bundle_id] == bundle.read_bytes()
    (begun,) = desk.made("BeginImport")
    assert (begun.bundle_id, begun.complete, begun.source) == (bundle_id, True, "")
    assert desk.made("StageRows") == []


def test_a_bundle_whose_import_has_ended_is_sent_and_imported_anew_by_one_command(desk, tmp_path):
    bundle = tmp_path / "b.age"
    bundle.write_bytes(b"good")
    words = ("bundle-import", bundle, "--list", "Wanted")
    run(*words)
    (import_id,) = desk.imports
    run("import-approve", import_id)
    assert "3 new" in run(*words)
    assert len(desk.imports) == 2


def test_a_bundle_whose_import_waits_for_approval_is_not_sent_again(desk, tmp_path):
    bundle = tmp_path / "b.age"
    bundle.write_bytes(b"good")
    words = ("bundle-import", bundle, "--list", "Wanted")
    run(*words)
    said = run(*words)
    assert "Signed by Utopia: 3 rows." in said
    assert "import-approve" in said
    assert len(desk.made("WriteBundle")) == 1


def test_a_bundle_that_the_service_has_lost_is_sent_anew(desk, tmp_path):
    bundle = tmp_path / "b.age"
    bundle.write_bytes(b"good")
    lost = remote(grpc.StatusCode.NOT_FOUND, "BUNDLE_NOT_FOUND")
    desk.trouble["BeginImport"] = [lost]
    assert "import-approve" in run("bundle-import", bundle, "--list", "Wanted")
    first, second = desk.made("WriteBundle")
    assert first.bundle_id != second.bundle_id
    bundle.write_bytes(b"good, another one")
    desk.trouble["BeginImport"] = [lost, lost]
    run("bundle-import", bundle, "--list", "Wanted", fails=BorderpostError)


def test_a_bundle_that_is_refused_begins_no_import(desk, tmp_path):
    bundle = tmp_path / "b.age"
    bundle.write_bytes(b"bad")
    run("bundle-import", bundle, "--list", "Wanted", fails=BorderpostError)
    assert desk.imports == {}


def test_as_json_there_is_one_document_and_nothing_else(desk, file, tmp_path):
    file.write_bytes(file.read_bytes() + b"no json\n")
    answer = json.loads(run(*import_words(file, "--json", "--skip-errors")))
    assert answer["import"]["errors"] == "1"
    shown = json.loads(run("import-show", answer["import"]["import_id"], "--json"))
    assert shown["errors"][0]["reason"] == "ROW_NOT_JSON"
    export = run("export", "--list", "Wanted", "--out", tmp_path / "a.csv", "--purpose", "x", "--json")
    assert json.loads(export)["entries"] == 0


def test_text_that_looks_like_markup_is_shown_as_it_is(desk):
    kept = watchlist_pb2.Import(
        import_id="i", source=HOSTILE, proposed_by=types_pb2.Actor(subject=HOSTILE), complete=True
    )
    desk.imports["i"] = kept
    desk.staged["i"] = {
        1: watchlist_pb2.ImportRow(error=watchlist_pb2.RowError(row=1, reason=HOSTILE, message=HOSTILE))
    }
    assert run("import-show", "i").count(HOSTILE) == 4
