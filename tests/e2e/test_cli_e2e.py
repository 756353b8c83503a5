"""The `borderpost` command over a running system, as its users call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from borderpost.cli.demo import make_watchlist
from borderpost.cli.stack import Stack, environment, private_settings
from borderpost.runtime.clock import new_id
from borderpost.runtime.settings import SERVICES, Settings
from borderpost.runtime.tls import ensure_development_certificates
from fakes.command import Done, run

BORDERPOST = Path(sys.executable).parent / "borderpost"
TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
PURPOSE = ("--purpose", "review [/] 12/26")  # what looks like markup is text


@pytest.fixture(scope="module")
def files(travelers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pictures")
    pictures = {
        "page": travelers.page_a,
        "face": travelers.samples.a_live,
        "portrait": travelers.samples.a_portrait,
        "other": travelers.samples.b_portrait,
    }
    for name, picture in pictures.items():
        (folder / f"{name}.jpg").write_bytes(picture)
    (folder / "text.jpg").write_text("no picture")
    return {path.stem: str(path) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def borderpost(stack: Stack):
    def command(*arguments: str) -> Done:
        return run(environment(stack.settings), *arguments)

    return command


@pytest.fixture(scope="module")
def screened(borderpost, files):
    """One screening, as JSON."""
    return borderpost("screen", "--document", files["page"], "--live", files["face"], "--json").json


@pytest.fixture(scope="module")
def wanted(borderpost) -> str:
    """The name of a list."""
    name = f"Wanted [/red] {new_id()}"
    made = borderpost(
        *("watchlist", "create", "--name", name, "--authority", "Ministry [/]", "--legal-basis", "Act"),
        *("--category", "missing-or-vulnerable", "--handling", "Be [kind]", "--json"),
    ).json
    assert made["watchlist"]["category"] == "WATCHLIST_CATEGORY_MISSING_OR_VULNERABLE"
    return name


@pytest.fixture
def proposed(borderpost, wanted, files) -> Iterator[str]:
    """The id of an entry that waits for approval."""
    answer = borderpost(
        *("watchlist", "add", "--list", wanted, "--reason", "T", "--source", "t/1", "--json"),
        *(
            "--valid-until",
            TOMORROW,
            "--picture",
            files["other"],
            "--surname",
            "Nobody",
            "--born",
            "1980-XX-XX",
        ),
        *("--document", "P:UTO:NOSUCH3"),
    ).json
    yield answer["entry"]["entry_id"]
    borderpost("watchlist", "remove", answer["entry"]["entry_id"])


# screen


def test_screen_as_json_gives_the_kiosks_answer_and_the_officers_record(screened):
    assert screened["answer"]["outcome"] == "OUTCOME_CLEAR"
    assert screened["record"]["payload"]["mrz"]["document"]["number"] == "U1CANARY1"


def test_screen_for_people_says_outcome_reasons_and_times(files, stack):
    # The installed command itself, once.
    done = subprocess.run(
        [BORDERPOST, "screen", "--document", files["page"], "--live", files["other"], "--exit"],
        env=environment(stack.settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    for text in ("REFER", "Please go to an officer.", "FACE_NOT_THE_DOCUMENTS", "U1CANARY1", "read_document"):
        assert text in done.stdout


def test_kiosk_only_shows_nothing_that_the_kiosk_is_not_told(borderpost, files):
    command = ("screen", "--document", files["page"], "--live", files["other"], "--kiosk-only")
    shown = borderpost(*command)
    assert "REFER" in shown.out
    answer = borderpost(*command, "--kiosk", "kiosk/south/1", "--json").json
    assert answer["outcome"] == "OUTCOME_REFER"
    for text in ("U1CANARY1", "FACE_NOT_THE_DOCUMENTS"):
        assert text not in shown.out + json.dumps(answer)


# watchlist


def test_a_proposed_entry_is_approved_by_a_second_person_listed_shown_and_removed(
    borderpost, wanted, proposed
):
    own = borderpost("watchlist", "approve", proposed, "--as", "list-manager/dev", "--json").error
    assert own["reason"] == "NOT_PERMITTED"
    assert (
        borderpost("watchlist", "show", proposed, "--json").json["entry"]["state"] == "ENTRY_STATE_PROPOSED"
    )

    assert int(borderpost("watchlist", "approve", proposed, "--json").json["version"]) > 0
    listed = borderpost("watchlist", "list", "--list", wanted, "--json").json["entries"]
    (entry,) = [entry for entry in listed if entry["entry_id"] == proposed]
    assert (entry["state"], entry["template_count"]) == ("ENTRY_STATE_ACTIVE", 1)
    assert entry["birth_date"] == {"year": 1980}
    assert "templates" not in entry
    assert "Nobody" in borderpost("watchlist", "list", "--list", entry["list_id"], "--state", "active").out
    assert "no entry" in borderpost("watchlist", "list", "--list", wanted, "--state", "proposed").out
    again = borderpost("watchlist", "approve", proposed).out
    for words in ("Approved: it is searched", "1980-XX-XX", "P:UTO:NOSUCH3", "t/1"):
        assert words in again

    assert "and then erased" in borderpost("watchlist", "withdraw", proposed).out
    assert borderpost("watchlist", "approve", proposed, "--json").error["reason"] == "ENTRY_WITHDRAWN"
    assert "withdrawn on" in borderpost("watchlist", "show", proposed).out
    assert borderpost("watchlist", "remove", proposed, "--json").json["version"]
    assert borderpost("watchlist", "show", proposed, "--json").error["reason"] == "ENTRY_NOT_FOUND"


def test_lists_shows_every_list_also_one_whose_name_looks_like_markup(borderpost, wanted):
    shown = borderpost("watchlist", "lists")
    assert "Wanted [/red]" in shown.out
    assert "Ministry [/]" in shown.out
    lists = borderpost("watchlist", "lists", "--json").json["watchlists"]
    assert wanted in [status["watchlist"]["name"] for status in lists]


def test_a_list_that_is_not_there_is_a_plain_sentence(borderpost, files):
    command = ("watchlist", "add", "--list", "No such list", "--reason", "T", "--source", "t/1")
    done = borderpost(*command, "--valid-until", TOMORROW, "--picture", files["other"])
    assert (done.status, done.out) == (1, "")
    assert "0 lists have this name" in done.err


# audit


def test_audit_query_filters_and_is_recorded(borderpost, screened):
    request_id = screened["answer"]["request_id"]
    one = borderpost("audit", "query", *PURPOSE, "--request", request_id, "--outcome", "clear", "--json").json
    kept = {entry["event"]["traveler_screened"]["request_id"] for entry in one["entries"]}
    assert kept == {request_id}
    none = borderpost("audit", "query", *PURPOSE, "--request", request_id, "--outcome", "refer")
    assert (none.status, none.out.strip()) == (0, "Nothing fits.")
    looked = borderpost(
        "audit", "query", *PURPOSE, "--kind", "record-consulted", "--limit", "1", "--since", "2020-01-01"
    )
    assert "[/] 12/26" in looked.out  # the table breaks the line before it


def test_audit_show_decrypts_one_screening(borderpost, screened):
    request_id = screened["answer"]["request_id"]
    assert "U1CANARY1" in borderpost("audit", "show", request_id, *PURPOSE).out
    assert borderpost("audit", "show", request_id, *PURPOSE, "--json").json["payload"]["mrz"]
    error = borderpost("audit", "show", new_id(), *PURPOSE, "--json").error
    assert error["reason"] == "SCREENING_NOT_FOUND"


def test_audit_verify_says_that_the_log_is_intact(borderpost):
    assert borderpost("audit", "verify", "--json").json["intact"] is True
    assert borderpost("audit", "verify").out.startswith("intact")


def test_without_a_purpose_nothing_personal_is_shown(borderpost, screened):
    error = borderpost("audit", "show", screened["answer"]["request_id"], "--purpose", " ", "--json").error
    assert error["reason"] == "PURPOSE_MISSING"


# health, settings, specimen


def test_health_tells_which_service_serves_and_which_not(borderpost, away):
    assert borderpost("health", "--json").json == dict.fromkeys(SERVICES, True)
    with away("gateway"):
        done = borderpost("health", "--json")
    assert done.status == 1
    assert [name for name, serves in json.loads(done.out).items() if not serves] == ["gateway"]


def test_settings_lists_every_setting(borderpost):
    listed = borderpost("settings", "--json").json
    assert {"gateway.address", "state_dir", "faces.threads"} <= set(listed)
    assert "gateway.address" in borderpost("settings").out


def test_a_specimen_page_can_be_screened(borderpost, files, tmp_path):
    page = str(tmp_path / "page.jpg")
    made = borderpost(
        "specimen", "--portrait", files["portrait"], "--out", page, "--wrong", "birth_date", "--json"
    )
    assert made.json == {"page": page}
    answer = borderpost("screen", "--document", page, "--live", files["face"], "--json").json
    assert answer["record"]["entry"]["event"]["traveler_screened"]["reasons"] == ["CHECK_DIGIT_REFUTED"]


# what goes wrong


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["screen", "--document", "no-such.jpg", "--live", "FACE"], 2, "does not exist"),
        (
            ["screen", "--document", "TEXT", "--live", "FACE"],
            1,
            "document_page: got 10 bytes that are no JPEG",
        ),
        (
            ["screen", "--document", "PAGE", "--live", "FACE", "--kiosk", "kiosk/nowhere/9"],
            1,
            "want a certificate of",
        ),
        (["audit", "query", "--purpose", "x", "--since", "yesterday"], 2, "yesterday"),
        (["audit", "query", "--purpose", "x", "--outcome", "refuse"], 2, "clear, refer, retake"),
        (["audit", "show", "4711", "--purpose", "x"], 1, "request_id: "),
        (["health", "face"], 2, "faces"),
        (["specimen", "--portrait", "PORTRAIT", "--out", "/no/such/folder/page.jpg"], 1, "No such file"),
        (["specimen", "--portrait", "TEXT", "--out", "OUT"], 1, "no JPEG"),
        (["specimen", "--portrait", "PORTRAIT", "--out", "OUT", "--wrong", "nose"], 2, "birth_date"),
        (["specimen", "--portrait", "PORTRAIT", "--out", "OUT", "--number", "?"], 1, "--number"),
        (["specimen", "--portrait", "PORTRAIT", "--out", "OUT", "--sex", "Q"], 2, "want F, M or X"),
        (["watchlist", "approve", "4711"], 1, "entry_id: "),
        (["watchlist", "lists", "--as", "auditor"], 1, "want ROLE/NAME"),
        (["watchlist", "lists", "--as", "kiosk/north/1"], 1, "want some of: administrator"),
        (["review", "list", "--as", "administrator/dev"], 1, "not open to administrator"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_answered_by_a_sentence_and_an_exit_status(
    borderpost, files, tmp_path, arguments, status, sentence
):
    by_name = {name.upper(): path for name, path in files.items()} | {"OUT": str(tmp_path / "page.jpg")}
    done = borderpost(*(by_name.get(argument, argument) for argument in arguments))
    assert (done.status, done.out) == (status, "")
    plain = " ".join(done.err.replace("│", " ").split())
    assert sentence in plain


def test_with_json_a_mistake_is_one_document_on_standard_error(borderpost, files):
    error = borderpost("screen", "--document", files["text"], "--live", files["face"], "--json").error
    assert error["reason"] == "PICTURE_FORMAT"
    assert error["details"]["field"] == "document_page"
    assert "document_page" in error["message"]


def test_certificates_of_another_authority_are_not_taken_for_a_gateway_that_is_away(stack, files, tmp_path):
    elsewhere = stack.settings.model_copy(update={"state_dir": tmp_path})
    ensure_development_certificates(elsewhere)
    done = run(environment(elsewhere), "screen", "--document", files["page"], "--live", files["face"])
    assert done.status == 1
    assert "not of one authority" in " ".join(done.err.split())


def test_services_that_are_down_are_named_with_what_to_do(files, tmp_path):
    settings = private_settings(tmp_path, Settings())
    ensure_development_certificates(settings)
    command = ("screen", "--document", files["page"], "--live", files["face"])
    done = run(environment(settings), *command)
    assert (done.status, done.out) == (1, "")
    plain = " ".join(done.err.split())
    assert f"can't be reached at {settings.gateway.address}: start the services with `borderpost up`" in plain
    assert run(environment(settings), *command, "--json").error["reason"] == "UNAVAILABLE"
    assert set(json.loads(run(environment(settings), "health", "--json").out).values()) == {False}


def test_a_wrong_setting_is_named(stack):
    wrong = {**environment(stack.settings), "BORDERPOST_GATEWAY__QUEUE": "many"}
    done = run(wrong, "health")
    assert done.status == 1
    assert "BORDERPOST_GATEWAY__QUEUE" in done.err


# up


def test_up_starts_all_starts_again_what_ends_and_leaves_no_process(files, tmp_path):
    settings = private_settings(tmp_path, Settings())
    env = environment(settings)
    with subprocess.Popen(
        [BORDERPOST, "up"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as up:
        try:
            wait_for_line(up, "All serve.")
            processes = children(up.pid)
            assert set(processes) == {*SERVICES, "console"}
            with urllib.request.urlopen(f"{settings.console.url}/login", timeout=10) as page:  # noqa: S310
                assert page.status == 200
            make_watchlist(settings, "Empty")
            screening = run(env, "screen", "--document", files["page"], "--live", files["face"], "--json")
            assert screening.json["answer"]["outcome"] == "OUTCOME_CLEAR"

            again = run(env, "up")
            assert again.status == 1
            assert "running already" in " ".join(again.err.split())

            os.kill(processes["decisions"], signal.SIGKILL)
            wait_until(
                lambda: children(up.pid).get("decisions", processes["decisions"]) != processes["decisions"]
            )
            wait_until(lambda: run(env, "health").status == 0)
            running = children(up.pid).values()
            up.send_signal(signal.SIGINT)
            _, errors = up.communicate(timeout=20)
        finally:
            up.kill()
    assert up.returncode == 0
    assert "decisions ended; starting it again" in errors
    assert "Traceback" not in errors
    assert [pid for pid in running if Path(f"/proc/{pid}").exists()] == []


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"ended without saying {text}")


def wait_until(holds) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def children(pid: int) -> dict[str, int]:
    """The services that a process has started, by name."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        name = next(
            (word.removeprefix("borderpost.") for word in command if word.startswith("borderpost.")), ""
        )
        found[name] = int(child)
    return found


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["Starting", "All serve."])
@pytest.mark.slow
def test_up_leaves_no_process_when_it_is_ended_at_any_moment(tmp_path, sign, moment):
    env = environment(private_settings(tmp_path, Settings()))
    with subprocess.Popen(
        [BORDERPOST, "up"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as up:
        try:
            wait_for_line(up, moment)
            wait_until(lambda: len(children(up.pid)) == len(SERVICES))
            running = children(up.pid).values()
            up.send_signal(sign)
            up.wait(20)
        finally:
            up.kill()
    assert up.returncode == 0
    assert [pid for pid in running if Path(f"/proc/{pid}").exists()] == []
