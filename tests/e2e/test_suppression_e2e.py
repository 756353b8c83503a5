"""Somebody who looks like a listed person: found, looked at by two officers, and no longer stopped for that pair."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from borderpost.cli.stack import Stack, environment
from borderpost.runtime.clock import new_id
from fakes.command import Done, run

SOON = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
PURPOSE = ("--purpose", "case 12/26")


@pytest.fixture(scope="module")
def borderpost(stack: Stack):
    def command(*arguments: str) -> Done:
        return run(environment(stack.settings), *arguments)

    return command


@pytest.fixture(scope="module")
def files(travelers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pictures")
    pictures = {
        "page": travelers.page_b,
        "live": travelers.samples.b_live,
        "portrait": travelers.samples.b_portrait,
    }
    for name, picture in pictures.items():
        (folder / f"{name}.jpg").write_bytes(picture)
    return {path.stem: str(path) for path in folder.iterdir()}


@pytest.fixture
def wanted(borderpost) -> str:
    """The name of a list that asks for two officers."""
    name = f"Wanted {new_id()}"
    made = borderpost(
        *("watchlist", "create", "--name", name, "--authority", "Ministry", "--legal-basis", "Act"),
        *("--category", "wanted", "--handling", "Look closely", "--suppression-people", "2"),
        *("--base-rate", "1 in 40,000", "--crossing", "north", "--json"),
    ).json
    assert made["watchlist"]["crossings"] == ["north"]
    return name


@pytest.fixture
def listed(borderpost, wanted, files) -> Iterator[str]:
    """The id of an entry with a face like the traveler's."""
    entry = add(borderpost, wanted, files)
    yield entry
    borderpost("watchlist", "remove", entry)


def add(borderpost, wanted: str, files) -> str:
    answer = borderpost(
        *("watchlist", "add", "--list", wanted, "--reason", "T", "--source", "t/1", "--valid-until", SOON),
        *("--picture", files["portrait"], "--keep-pictures", "--json"),
    ).json
    entry: str = answer["entry"]["entry_id"]
    assert answer["entry"]["picture_count"] == 1
    assert borderpost("watchlist", "approve", entry, "--json").status == 0
    return entry


def screen(borderpost, files):
    return borderpost("screen", "--document", files["page"], "--live", files["live"], "--json").json


def outcome(screened) -> tuple[str, list[str]]:
    event = screened["record"]["entry"]["event"]["traveler_screened"]
    return event["outcome"], event.get("reasons", [])


def candidates(screened) -> list[dict]:
    """Those of all lists: there are others, which this traveler is on none of."""
    results = screened["record"]["payload"]["watchlists"]
    return [candidate for result in results for candidate in result.get("candidates", [])]


def note(screened) -> list[str]:
    checks = screened["record"]["entry"]["event"]["traveler_screened"]["checks"]
    (face,) = [check for check in checks if check["name"] == "WATCHLIST_FACE"]
    return face.get("reasons", [])


def query_until(borderpost, kind: str, words: str = "") -> str:
    """What the log shows of a kind of event, once one with these words came through the outbox."""
    for _ in range(50):
        shown: str = borderpost("audit", "query", "--kind", kind, *PURPOSE).out
        if kind.replace("-", " ") in shown and words in shown:
            return shown
        time.sleep(0.2)
    raise TimeoutError(kind)


BY_FACE = ("OUTCOME_REFER", ["WATCHLIST_CANDIDATE_BY_FACE"])


def test_a_pair_that_two_officers_found_not_to_be_one_person_refers_no_more_until_it_is_revoked(
    borderpost, files, wanted, listed
):
    first = screen(borderpost, files)
    assert outcome(first) == BY_FACE
    (candidate,) = candidates(first)
    assert candidate["odds"]["assumed_base_rate"] == pytest.approx(1 / 40_000)

    proposed = borderpost(
        *("watchlist", "suppress", "--screening", first["answer"]["request_id"], "--entry", listed),
        *("--reason", "Look-alike, fingerprints differ", "--until", SOON, "--json"),
    ).json["suppression"]
    assert proposed["state"] == "SUPPRESSION_STATE_PROPOSED"
    assert outcome(screen(borderpost, files)) == BY_FACE

    suppression = proposed["suppression_id"]
    own = borderpost("watchlist", "suppress-confirm", suppression, "--as", "officer/dev", "--json")
    assert own.error["reason"] == "SECOND_PERSON_NEEDED"
    assert borderpost("watchlist", "suppress-confirm", suppression, "--json").status == 0
    cleared = screen(borderpost, files)
    assert outcome(cleared) == ("OUTCOME_CLEAR", [])
    assert note(cleared) == ["WATCHLIST_CANDIDATE_SUPPRESSED"]
    (candidate,) = candidates(cleared)
    assert candidate["suppressed"]["suppression_id"] == suppression

    another = add(borderpost, wanted, files)
    assert outcome(screen(borderpost, files)) == BY_FACE
    assert borderpost("watchlist", "remove", another).status == 0
    assert outcome(screen(borderpost, files))[0] == "OUTCOME_CLEAR"

    shown = borderpost("watchlist", "suppressions", "--list", wanted).out
    assert suppression in shown
    assert "dev-second" in shown
    assert borderpost("watchlist", "suppress-revoke", suppression, "--json").status == 0
    late = borderpost("watchlist", "suppress-confirm", suppression)
    assert (late.status, late.out.startswith("This did nothing.")) == (1, True)
    assert outcome(screen(borderpost, files)) == BY_FACE


def test_kept_pictures_statistics_and_migration_are_there_for_those_who_may(
    borderpost, files, wanted, listed, tmp_path
):
    out = tmp_path / "pictures"
    assert borderpost("watchlist", "pictures", listed, "--out", str(out), *PURPOSE).status == 0
    (picture,) = out.iterdir()
    assert picture.read_bytes() == Path(files["portrait"]).read_bytes()

    page = borderpost("watchlist", "stats", "--list", wanted)
    assert page.status == 0, page
    for words in ("1 active, 0 proposed", "1 in 40,000 travelers", "takes 2 officers", "at north"):
        assert words in " ".join(page.out.split()), page.out

    migrated = borderpost("watchlist", "migrate", "--list", wanted, "--json").json
    assert migrated == {"model_id": "mobilefacenet-v1"}
    assert borderpost("watchlist", "measure", "--list", wanted).status == 0
    changed = borderpost("watchlist", "change", "--list", wanted, "--priority", "1", "--json").json
    assert (changed["watchlist"]["priority"], changed["watchlist"]["crossings"]) == (1, ["north"])
    assert borderpost("watchlist", "withdraw", listed, "--json").status == 0
    assert outcome(screen(borderpost, files))[0] == "OUTCOME_CLEAR"


def test_an_officer_searches_by_name_and_the_log_says_so_without_the_name(borderpost, wanted):
    answer = borderpost(
        *("watchlist", "add", "--list", wanted, "--reason", "T", "--source", "t/2", "--valid-until", SOON),
        *("--surname", "Searchname", "--given", "Zora Ines", "--born", "1980-07-12", "--json"),
    ).json
    entry = answer["entry"]["entry_id"]
    assert borderpost("watchlist", "approve", entry, "--json").status == 0
    command = (
        "watchlist",
        "search",
        "--surname",
        "Searchname",
        "--given",
        "Ines Zora",
        "--born",
        "1980-07-12",
    )
    assert borderpost(*command).status == 2
    page = borderpost(*command, *PURPOSE)
    assert page.status == 0, page
    for words in (entry, "SEARCHNAME / SEARCHNAME: same", "such alerts", "as of"):
        assert words in " ".join(page.out.split()), page.out
    log = query_until(borderpost, "watchlist-searched", "case 12/26")
    assert "earchname" not in log
    assert borderpost("audit", "verify").status == 0
    borderpost("watchlist", "remove", entry)
