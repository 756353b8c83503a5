"""Exports and bundles: for a purpose only, on record, and without what was erased."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import new_id
from borderpost.runtime.errors import InvalidRequestError, PurposeMissingError, UnavailableError
from borderpost.v1 import watchlist_pb2 as pb
from borderpost.watchlist import receiving
from borderpost.watchlist.bundles import BundleInvalidError, read_rows
from borderpost.watchlist.domain import Caller, EntryContent, Import, ImportState, MatchKind, SearchQuery
from borderpost.watchlist.errors import (
    BundleNotFoundError,
    BundleTooLargeError,
    ImportExistsError,
    ListNotPermittedError,
    PartnerNotFoundError,
    WatchlistNotFoundError,
)
from borderpost.watchlist.exporting import KEPT, PAGE, PART_BYTES, Bundle
from borderpost.watchlist.persons import DocumentKey, PartialDate, PersonName
from borderpost.watchlist.receiving import MOST_BUNDLES
from fakes.watchlist import (
    ANNA,
    BEN,
    CARL,
    NOW,
    Agency,
    House,
    a_house,
    a_list,
    a_quick_house,
    a_template,
    an_entry,
    by,
    found,
    near,
)

WHY = "request 12 of Arcadia"
OURS, THEIRS = Agency("utopia.test"), Agency("arcadia.test")
STRANGER = Agency("nowhere.test")
WAIT_SECONDS = 30.0


@pytest.fixture
def house() -> Iterator[House]:
    with a_quick_house(agency=OURS, partners=(THEIRS,)) as house:
        yield house


@pytest.fixture
def partner() -> Iterator[House]:
    """The other agency, which knows the first."""
    with a_quick_house(agency=THEIRS, partners=(OURS,)) as house:
        yield house


def a_person(list_id: str, number: int, **changes: object) -> EntryContent:
    content = an_entry(
        list_id,
        templates=(a_template(number), a_template(1000 + number)),
        names=(PersonName("Eriksson", "Anna", "Эрикссон"),),
        birth_date=PartialDate(1970, None, 3),
        documents=(DocumentKey("P", "UTO", f"D{number:06}"),),
        sex="F",
        nationalities=("UTO", "D"),
        pictures=(f"picture {number}".encode(),),
    )
    return replace(content, **changes)


def filled(house: House, count: int) -> tuple[str, list[EntryContent]]:
    list_id = house.new_list().list_id
    return list_id, [house.add(a_person(list_id, number)) for number in range(count)]


def made(house: House, list_id: str, *, with_pictures: bool = False) -> Bundle:
    return house.exporting.make_bundle(list_id, THEIRS.name, with_pictures, by(CARL, WHY))


def read(house: House, bundle: Bundle) -> bytes:
    content, part = b"", b"-"
    while part:
        part = house.exporting.read_bundle(bundle.bundle_id, len(content), by(CARL))
        content += part
    return content


def rows_in(bundle: Bundle) -> list[pb.ImportRow]:
    return list(read_rows(bundle.path, THEIRS.identity))


def written(house: House, content: bytes, caller: Caller | None = None, size: int = 1000) -> str:
    """Write a bundle in parts, and check it."""
    bundle_id, who = new_id(), caller or by(ANNA)
    for offset in range(0, len(content), size):
        house.receiving.write(bundle_id, offset, content[offset : offset + size], who)
    house.receiving.check(bundle_id, who)
    return bundle_id


def taken(house: House, list_id: str, bundle_id: str, *, complete: bool = False) -> Import:
    """Begin an import of a bundle, and wait until its rows are taken."""
    import_id = new_id()
    house.taking.begin(import_id, list_id, bundle_id, complete, by(ANNA))
    until = time.monotonic() + WAIT_SECONDS
    while True:
        kept, _, _ = house.importing.get(import_id, 0, 1, by(ANNA))
        if kept.next_row > kept.rows:
            return kept
        assert time.monotonic() < until
        time.sleep(0.01)


def wait_until_taken(house: House) -> None:
    """Wait until no bundle is being taken."""
    until = time.monotonic() + WAIT_SECONDS
    while house.taking._taking:
        assert time.monotonic() < until
        time.sleep(0.01)


def on_disk(house: House) -> list[Path]:
    """The bundles that were received and are still there."""
    return list((house.folder / "bundles/received").iterdir())


def approved(house: House, an_import: Import) -> Import:
    house.importing.finish(an_import.import_id, by(ANNA), skip_errors=False, dry_run=False)
    return house.importing.approve(an_import.import_id, by(BEN))


def ids_of(house: House, list_id: str) -> list[str]:
    return [e.content.entry_id for e in house.app.list_entries(list_id, 0, 500, by(ANNA)).entries]


# Pages


def test_a_page_of_active_entries_is_exported_for_a_purpose_and_is_an_event(house: House):
    list_id, entries = filled(house, 3)
    house.app.propose_entry(a_person(list_id, 10), by(ANNA))
    house.app.withdraw_entry(entries[1].entry_id, by(ANNA))
    house.add(a_person(list_id, 11, valid_from=NOW + timedelta(days=1)))
    house.add(a_person(list_id, 12, valid_until=NOW + timedelta(hours=1)))
    house.clock.move(timedelta(hours=1))
    with pytest.raises(PurposeMissingError):
        house.exporting.page(list_id, 0, by(CARL))
    assert house.bodies("watchlist_exported") == []
    page, version = house.exporting.page(list_id, 0, by(CARL, WHY))
    assert [e.content.entry_id for e in page.entries] == [entries[0].entry_id, entries[2].entry_id]
    assert all(not e.content.templates and not e.content.pictures for e in page.entries)
    assert page.next_after is None
    (event,) = house.bodies("watchlist_exported")
    assert (event.what, event.list_id, event.entries) == ("ENTRIES", list_id, 2)
    assert event.version == version == house.version_of(list_id)
    assert (house.events()[-1].purpose, house.events()[-1].actor.subject) == (WHY, CARL.subject)


def test_an_entry_that_is_removed_meanwhile_is_in_no_later_page(house: House):
    list_id = house.new_list().list_id
    contents = [
        an_entry("", entry_id="", documents=(DocumentKey("P", "UTO", f"D{n:06}"),)) for n in range(2 * PAGE)
    ]
    begun = house.importing.begin(Import(new_id(), list_id, "x", b"x" * 32, False, 2 * PAGE, ANNA), by(ANNA))
    rows = [(row, f"record {row}", content) for row, content in enumerate(contents, 1)]
    house.importing.stage(begun.import_id, rows, by(ANNA))
    approved(house, begun)
    first, _ = house.exporting.page(list_id, 0, by(CARL, WHY))
    assert len(first.entries) == PAGE
    assert first.next_after is not None
    late, _ = house.exporting.page(list_id, first.next_after, by(CARL, WHY))
    gone = late.entries[7].content.entry_id
    house.app.remove_entry(gone, by(ANNA))
    second, _ = house.exporting.page(list_id, first.next_after, by(CARL, WHY))
    assert len(second.entries) == PAGE - 1
    assert gone not in {e.content.entry_id for e in second.entries}
    assert second.next_after is None
    pages = [(each.what, each.list_id, each.entries) for each in house.bodies("watchlist_exported")]
    assert pages == [("ENTRIES", list_id, count) for count in (PAGE, PAGE, PAGE - 1)]


def test_a_page_from_the_middle_is_on_record_too(house: House):
    list_id, entries = filled(house, 2)
    page, _ = house.exporting.page(list_id, 1, by(CARL, WHY))
    assert [e.content.entry_id for e in page.entries] == [each.entry_id for each in entries]
    (event,) = house.bodies("watchlist_exported")
    assert event.entries == 2


def test_pictures_are_shown_for_a_purpose_and_are_an_event(house: House):
    list_id, (content,) = filled(house, 1)
    with pytest.raises(PurposeMissingError):
        house.app.pictures(content.entry_id, by(CARL, " "))
    assert house.bodies("watchlist_exported") == []
    assert house.app.pictures(content.entry_id, by(CARL, WHY)) == content.pictures
    (event,) = house.bodies("watchlist_exported")
    assert (event.what, event.list_id, event.entry_id) == ("PICTURES", list_id, content.entry_id)


# Bundles that are made


@pytest.mark.parametrize("with_pictures", [False, True])
def test_a_bundle_holds_what_is_said_of_active_entries_and_nothing_of_who_said_it(
    house: House, with_pictures: bool
):
    list_id, entries = filled(house, 3)
    house.app.propose_entry(a_person(list_id, 10), by(ANNA))
    bundle = made(house, list_id, with_pictures=with_pictures)
    content = read(house, bundle)
    assert (len(content), hashlib.sha256(content).digest()) == (bundle.info.size, bundle.info.sha256)
    rows = rows_in(bundle)
    assert (len(rows), bundle.info.rows) == (3, 3)
    assert [row.record_id for row in rows] == [each.entry_id for each in entries]
    for row, each in zip(rows, entries, strict=True):
        assert [template.values for template in row.entry.templates] == [t.values for t in each.templates]
        assert list(row.entry.pictures) == (list(each.pictures) if with_pictures else [])
        assert row.entry.names[0].native == each.names[0].native
        assert not row.entry.HasField("proposed_by")
        assert not row.entry.HasField("approved_by")
    (event,) = house.bodies("watchlist_exported")
    assert (event.what, event.partner, event.entries) == ("BUNDLE", THEIRS.name, 3)
    assert event.version == bundle.state.version == house.version_of(list_id)
    for trace in (b"Eriksson", b"D000001", entries[0].templates[0].values, b"picture 1"):
        assert trace not in content


def test_a_large_bundle_is_read_in_parts(house: House):
    list_id = house.new_list().list_id
    for number in range(3):
        house.add(a_person(list_id, number, pictures=(bytes([number]) * (PART_BYTES - 1),)))
    bundle = made(house, list_id, with_pictures=True)
    assert bundle.info.size > 2 * PART_BYTES
    first = house.exporting.read_bundle(bundle.bundle_id, 0, by(CARL))
    assert len(first) == PART_BYTES
    assert read(house, bundle) == bundle.path.read_bytes()
    assert house.exporting.read_bundle(bundle.bundle_id, bundle.info.size, by(CARL)) == b""
    with pytest.raises(InvalidRequestError, match="offset"):
        house.exporting.read_bundle(bundle.bundle_id, bundle.info.size + 1, by(CARL))


def test_a_bundle_needs_a_purpose_a_partner_and_a_list(house: House):
    list_id, _ = filled(house, 1)
    for error, act in (
        (PurposeMissingError, lambda: house.exporting.make_bundle(list_id, THEIRS.name, False, by(CARL))),
        (
            PartnerNotFoundError,
            lambda: house.exporting.make_bundle(list_id, STRANGER.name, False, by(CARL, WHY)),
        ),
        (WatchlistNotFoundError, lambda: made(house, a_list().list_id)),
    ):
        with pytest.raises(error):
            act()
    assert house.bodies("watchlist_exported") == []
    assert list((house.folder / "bundles/made").iterdir()) == []


@pytest.mark.parametrize("how", ["remove", "withdraw", "import", "sweep", "templates"])
def test_a_bundle_is_gone_as_soon_as_an_entry_of_its_list_went(house: House, how: str):
    list_id, (first, *_) = filled(house, 2)
    other_list, _ = filled(house, 1)
    bundle, of_other = made(house, list_id), made(house, other_list)
    acts = {
        "remove": lambda: house.app.remove_entry(first.entry_id, by(ANNA)),
        "withdraw": lambda: house.app.withdraw_entry(first.entry_id, by(ANNA)),
        "import": lambda: replaced_by_import(house, list_id),
        "sweep": lambda: swept(house, list_id),
        "templates": lambda: house.app.add_templates(
            first.entry_id, (replace_model(a_template(5)),), by(ANNA)
        ),
    }
    acts[how]()
    with pytest.raises(BundleNotFoundError):
        house.exporting.read_bundle(bundle.bundle_id, 0, by(CARL))
    assert not bundle.path.exists()
    assert read(house, of_other)


def replace_model(template):
    return replace(template, model=replace(template.model, model_id="other-model"))


def replaced_by_import(house: House, list_id: str) -> None:
    """A complete import of a source that has nothing any more, after one that had one."""
    asked = Import(new_id(), list_id, "x", b"x" * 32, True, 1, ANNA)
    for number in (1, 2):
        begun = house.importing.begin(replace(asked, import_id=new_id()), by(ANNA))
        content = a_person("", 20 + number, entry_id="")
        house.importing.stage(begun.import_id, [(1, "record", content)], by(ANNA))
        approved(house, begun)


def swept(house: House, list_id: str) -> None:
    house.add(a_person(list_id, 30, valid_until=NOW + timedelta(minutes=1)))
    house.clock.move(timedelta(minutes=1))
    assert house.app.remove_ended(by(ANNA)) == 1


def test_a_bundle_stays_while_entries_are_only_added(house: House):
    list_id, _ = filled(house, 1)
    bundle = made(house, list_id)
    house.add(a_person(list_id, 5))
    assert read(house, bundle)
    assert len(rows_in(bundle)) == 1


def test_a_bundle_is_gone_after_an_hour(house: House):
    list_id, _ = filled(house, 1)
    bundle = made(house, list_id)
    house.clock.move(KEPT)
    assert read(house, bundle)
    house.clock.move(timedelta(microseconds=1))
    with pytest.raises(BundleNotFoundError):
        house.exporting.read_bundle(bundle.bundle_id, 0, by(CARL))
    assert not bundle.path.exists()


def test_old_bundles_are_deleted_even_if_nobody_asks(house: House):
    list_id, _ = filled(house, 1)
    bundle = made(house, list_id)
    house.clock.move(KEPT + timedelta(microseconds=1))
    house.exporting.drop_old()
    assert not bundle.path.exists()


def test_a_bundle_is_read_by_who_made_it_only(house: House):
    list_id, _ = filled(house, 1)
    bundle = made(house, list_id)
    for other in (ANNA, replace(CARL, issuer="another")):
        with pytest.raises(BundleNotFoundError):
            house.exporting.read_bundle(bundle.bundle_id, 0, by(other))


def test_no_bundle_outlives_its_service(house: House):
    list_id, _ = filled(house, 1)
    bundle = made(house, list_id)
    with a_house(house.folder, agency=OURS, partners=(THEIRS,)) as again:
        assert not bundle.path.exists()
        with pytest.raises(BundleNotFoundError):
            again.exporting.read_bundle(bundle.bundle_id, 0, by(CARL))


def test_bundles_are_dropped_only_once_nobody_reads_the_entry_any_more(house: House):
    # A bundle that is begun after that moment is not dropped, so it must not find the entry.
    list_id, (first, second) = filled(house, 2)
    readable: list[list[str]] = []

    def told(list_ids: frozenset[str]) -> None:
        assert list_ids == {list_id}
        with house.keeper.read() as reading:
            active = reading.active(list_id, NOW, 0, 10)
        readable.append([entry.content.entry_id for _, entry in active])

    house.keeper.tell_gone(told)
    house.app.remove_entry(first.entry_id, by(ANNA))
    assert readable == [[second.entry_id]]


def test_scopes_limit_exports_to_the_lists_that_they_name(house: House):
    list_id, (content,) = filled(house, 1)
    other = by(CARL, WHY, frozenset({f"list:{house.new_list().list_id}"}))
    for act in (
        lambda: house.exporting.page(list_id, 0, other),
        lambda: house.exporting.make_bundle(list_id, THEIRS.name, False, other),
        lambda: house.app.pictures(content.entry_id, other),
    ):
        with pytest.raises(ListNotPermittedError):
            act()
    assert house.bodies("watchlist_exported") == []


# From one agency to another


def test_what_one_agency_bundles_another_imports_and_finds(house: House, partner: House):
    list_id, (one, two) = filled(house, 2)
    theirs = partner.new_list().list_id
    bundle = made(house, list_id, with_pictures=True)
    bundle_id = written(partner, read(house, bundle))
    begun = taken(partner, theirs, bundle_id)
    assert (begun.source, begun.rows, begun.content_sha256) == (OURS.name, 2, bundle.info.sha256)
    assert found(partner.search(SearchQuery((near(a_template(1), 0.95, seed=1),)))) == []
    applied = approved(partner, begun)
    assert (applied.added, applied.errors) == (2, 0)
    first, second = ids_of(partner, theirs)
    assert {first, second}.isdisjoint({one.entry_id, two.entry_id})
    answer = partner.search(SearchQuery((near(a_template(1), 0.99, seed=1),)))
    assert found(answer) == [(second, MatchKind.FACE)]
    got = partner.app.get_entry(second, by(ANNA))
    assert got.provenance is not None
    assert (got.provenance.source, got.provenance.record_id) == (OURS.name, two.entry_id)
    assert replace(got.content, entry_id=two.entry_id, list_id=two.list_id) == replace(
        two, templates=(), pictures=()
    )
    assert partner.app.pictures(second, by(ANNA, WHY)) == two.pictures
    with pytest.raises(BundleNotFoundError):  # its rows are taken: it needs no room any more
        partner.receiving.get(bundle_id, by(ANNA))
    assert list((partner.folder / "bundles/received").iterdir()) == []


def test_the_next_bundle_of_a_list_brings_only_what_changed(house: House, partner: House):
    list_id, (one, two) = filled(house, 2)
    theirs = partner.new_list().list_id
    approved(partner, taken(partner, theirs, written(partner, read(house, made(house, list_id)))))
    before = ids_of(partner, theirs)
    house.app.remove_entry(one.entry_id, by(ANNA))
    house.add(a_person(list_id, 7))
    content = read(house, made(house, list_id))
    again = approved(partner, taken(partner, theirs, written(partner, content), complete=True))
    assert (again.added, again.changed, again.unchanged, again.removed) == (1, 0, 1, 1)
    assert ids_of(partner, theirs)[0] == before[1]
    assert found(partner.search(SearchQuery(document=one.documents[0]))) == []
    assert found(partner.search(SearchQuery(document=two.documents[0]))) == [(before[1], MatchKind.DOCUMENT)]


def test_an_import_of_a_bundle_goes_on_after_a_restart_with_the_bundle_sent_anew(
    house: House, partner: House
):
    list_id, _ = filled(house, 3)
    theirs = partner.new_list().list_id
    content = read(house, made(house, list_id))
    opened = partner.receiving.get(written(partner, content), by(ANNA)).opened
    asked = Import(new_id(), theirs, OURS.name, opened.sha256, False, 3, ANNA)
    partner.importing.begin(asked, by(ANNA))  # and then it died
    with a_house(partner.folder, agency=THEIRS, partners=(OURS,)) as again:
        bundle_id = written(again, content)
        again.taking.begin(asked.import_id, theirs, bundle_id, False, by(ANNA))
        until = time.monotonic() + WAIT_SECONDS
        while again.importing.get(asked.import_id, 0, 1, by(ANNA))[0].next_row <= 3:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert approved(again, asked).state is ImportState.APPLIED


def test_a_bundle_that_was_tampered_with_is_refused_and_gone(house: House, partner: House):
    list_id, _ = filled(house, 2)
    content = read(house, made(house, list_id))
    cases = [
        content[:-1],
        content[: len(content) // 2],
        b"",
        b"not a bundle",
        content + b"\0",
        *(
            content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            for place in (30, 300, len(content) - 5)
        ),
    ]
    for case in cases:
        bundle_id = new_id()
        partner.receiving.write(bundle_id, 0, case, by(ANNA))
        with pytest.raises(BundleInvalidError):
            partner.receiving.check(bundle_id, by(ANNA))
        with pytest.raises(BundleNotFoundError):
            partner.taking.begin(new_id(), partner.new_list().list_id, bundle_id, False, by(ANNA))
    assert list((partner.folder / "bundles/received").iterdir()) == []
    assert written(partner, content)  # as it was made it is taken


def test_a_bundle_of_nobody_known_or_for_another_is_refused(house: House, tmp_path: Path):
    list_id, _ = filled(house, 1)
    content = read(house, made(house, list_id))
    known_to_nobody = replace(THEIRS, name="x.test")
    for agency, partners in (
        (THEIRS, (STRANGER,)),  # which doesn't know the sender
        (STRANGER, (OURS,)),  # which it isn't encrypted to
        (
            known_to_nobody,
            (replace(OURS, signing_key=STRANGER.signing_key),),
        ),  # which knows another key of it
    ):
        with (
            a_house(tmp_path / new_id(), agency=agency, partners=partners) as other,
            pytest.raises(BundleInvalidError),
        ):
            written(other, content)


def test_parts_may_be_sent_again_and_must_follow_one_another(house: House, partner: House):
    list_id, _ = filled(house, 1)
    content, bundle_id = read(house, made(house, list_id)), new_id()
    write = partner.receiving.write
    assert write(bundle_id, 0, content[:100], by(ANNA)) == 100
    assert write(bundle_id, 0, content[:100], by(ANNA)) == 100
    with pytest.raises(InvalidRequestError, match="got 150, want 100"):
        write(bundle_id, 150, content[150:], by(ANNA))
    with pytest.raises(BundleNotFoundError):
        write(bundle_id, 100, content[100:], by(BEN))
    assert write(bundle_id, 100, content[100:], by(ANNA)) == len(content)
    assert partner.receiving.check(bundle_id, by(ANNA)).opened.rows == 1
    assert partner.receiving.check(bundle_id, by(ANNA)).opened.rows == 1
    for other in (partner.receiving.check, partner.receiving.get):
        with pytest.raises(BundleNotFoundError):
            other(bundle_id, by(BEN))


def test_bundles_that_wait_have_a_limit(house: House, partner: House):
    list_id, _ = filled(house, 1)
    content = read(house, made(house, list_id))
    waiting = [written(partner, content) for _ in range(MOST_BUNDLES)]
    with pytest.raises(BundleTooLargeError, match="import those first"):
        written(partner, content)
    taken(partner, partner.new_list().list_id, waiting[0])
    until = time.monotonic() + WAIT_SECONDS
    while (partner.folder / f"bundles/received/{waiting[0]}.age").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    assert written(partner, content)


def test_a_bundle_that_nobody_took_up_in_an_hour_makes_room_for_another(house: House, partner: House):
    list_id, _ = filled(house, 1)
    content = read(house, made(house, list_id))
    first = written(partner, content)
    partner.clock.move(timedelta(minutes=30))
    others = [written(partner, content) for _ in range(MOST_BUNDLES - 1)]
    partner.clock.move(timedelta(minutes=30))
    with pytest.raises(BundleTooLargeError):
        written(partner, content)
    partner.clock.move(timedelta(microseconds=1))
    last = written(partner, content)
    with pytest.raises(BundleNotFoundError):
        partner.receiving.get(first, by(ANNA))
    for bundle_id in (*others, last):
        assert partner.receiving.get(bundle_id, by(ANNA)).opened.rows == 1


def test_a_part_that_is_refused_takes_no_place(partner: House):
    for _ in range(MOST_BUNDLES):
        with pytest.raises(InvalidRequestError, match="got 5, want 0"):
            partner.receiving.write(new_id(), 5, b"part", by(BEN))
    for _ in range(MOST_BUNDLES):
        partner.receiving.write(new_id(), 0, b"part", by(ANNA))


def test_uploads_that_nobody_goes_on_with_make_room_after_an_hour(partner: House):
    for _ in range(MOST_BUNDLES):
        partner.receiving.write(new_id(), 0, b"part", by(BEN))
    partner.clock.move(timedelta(hours=1, microseconds=1))
    assert partner.receiving.write(new_id(), 0, b"part", by(ANNA)) == 4
    assert len(on_disk(partner)) == 1


def test_the_bytes_of_a_bundle_and_of_all_together_have_an_end(
    partner: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(receiving, "MOST_BYTES", 10)
    monkeypatch.setattr(receiving, "MOST_BYTES_TOGETHER", 20)
    write, (one, two, three) = partner.receiving.write, (new_id() for _ in range(3))
    write(one, 0, b"1" * 10, by(ANNA))
    with pytest.raises(BundleTooLargeError, match="more than 10 bytes"):
        write(one, 10, b"1", by(ANNA))
    assert on_disk(partner) == []
    write(one, 0, b"1" * 10, by(ANNA))
    write(two, 0, b"2" * 6, by(BEN))
    with pytest.raises(BundleTooLargeError, match="more than 20 bytes with those that wait"):
        write(three, 0, b"3" * 5, by(ANNA))
    assert len(on_disk(partner)) == 2
    assert write(three, 0, b"3" * 4, by(ANNA)) == 4
    partner.clock.move(timedelta(hours=1, microseconds=1))
    assert write(three, 4, b"3" * 6, by(ANNA)) == 10
    assert len(on_disk(partner)) == 1


@pytest.mark.parametrize("how", ["cancelled", "stale", "tampered with"])
def test_a_bundle_whose_import_can_not_be_gone_on_with_makes_room(house: House, partner: House, how: str):
    list_id, _ = filled(house, 3)
    theirs = partner.new_list().list_id
    bundle_id = written(partner, read(house, made(house, list_id)))
    begin = partner.importing.begin

    def begun(asked: Import, who: Caller) -> Import:
        """Between its begin and its first rows, something comes in between."""
        begun = begin(asked, who)
        if how == "cancelled":
            partner.importing.cancel(asked.import_id, who)
        elif how == "stale":
            with partner.keeper.change() as change:
                change.put_import(replace(begun, base="another"))
        else:
            with (partner.folder / f"bundles/received/{bundle_id}.age").open("ab") as file:
                file.write(b"more")
        return begun

    partner.importing.begin = begun
    partner.taking.begin(new_id(), theirs, bundle_id, False, by(ANNA))
    wait_until_taken(partner)
    assert on_disk(partner) == []


def test_a_bundle_whose_import_was_hindered_for_a_while_stays_and_is_gone_on_with(
    house: House, partner: House, monkeypatch: pytest.MonkeyPatch
):
    list_id, _ = filled(house, 3)
    theirs, import_id = partner.new_list().list_id, new_id()
    bundle_id = written(partner, read(house, made(house, list_id)))

    def away(*_: object) -> None:
        raise UnavailableError("database: away")

    with monkeypatch.context() as patched:
        patched.setattr(partner.importing, "stage", away)
        partner.taking.begin(import_id, theirs, bundle_id, False, by(ANNA))
        wait_until_taken(partner)
    assert len(on_disk(partner)) == 1
    begun = partner.taking.begin(import_id, theirs, bundle_id, False, by(ANNA))
    wait_until_taken(partner)
    assert approved(partner, begun).added == 3
    assert on_disk(partner) == []


def test_a_bundle_that_has_nothing_to_take_makes_room_at_once(house: House, partner: House):
    theirs = partner.new_list().list_id
    empty = read(house, made(house, house.new_list().list_id))
    assert taken(partner, theirs, written(partner, empty)).rows == 0
    list_id, _ = filled(house, 1)
    content = read(house, made(house, list_id))
    begun = taken(partner, theirs, written(partner, content))
    sent_anew = written(partner, content)
    partner.taking.begin(begun.import_id, theirs, sent_anew, False, by(ANNA))
    with pytest.raises(BundleNotFoundError):
        partner.receiving.get(sent_anew, by(ANNA))


def test_an_import_id_that_another_import_has_is_no_bundles(house: House, partner: House):
    list_id, _ = filled(house, 1)
    theirs = partner.new_list().list_id
    begun = partner.importing.begin(
        Import(new_id(), theirs, "x", b"x" * 32, False, 1, ANNA), Caller(Actor("borderpost.test", "x"))
    )
    bundle_id = written(partner, read(house, made(house, list_id)))
    with pytest.raises(ImportExistsError):
        partner.taking.begin(begun.import_id, theirs, bundle_id, False, by(ANNA))
