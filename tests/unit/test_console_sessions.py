"""Sessions: they end by themselves, nobody guesses one, a picture is shown once, and nothing grows without end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from borderpost.console.sessions import MOST_KEPT, MOST_PICTURES, PICTURE_SECONDS, Kept, Session, Sessions
from borderpost.runtime.calls import Actor, Role
from borderpost.runtime.people import Person

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Watch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def a_session(name: str = "ann") -> Session:
    until = NOW + timedelta(hours=8)
    person = Person(Actor("idp", name), frozenset({Role.OFFICER}), frozenset(), NOW, until)
    return Session(person, "token", "en")


def test_a_session_ends_when_nobody_is_there_and_looking_by_itself_is_nobody():
    watch = Watch()
    sessions = Sessions(600, watch)
    cookie = sessions.open(a_session())
    watch.now += 599
    assert sessions.find(cookie, touch=False) is not None  # the page that looks for news
    watch.now += 2
    assert sessions.find(cookie) is None
    cookie = sessions.open(a_session())
    for _ in range(5):
        watch.now += 500
        assert sessions.find(cookie) is not None


def test_only_the_cookie_opens_a_session_and_what_is_kept_of_it_doesnt():
    sessions = Sessions(600, Watch())
    cookie = sessions.open(a_session())
    assert [sessions.find(key) for key in (*sessions._sessions, "", cookie[:-1], cookie + "x", "ü")] == [
        None
    ] * 5
    sessions.end(cookie)
    assert sessions.find(cookie) is None


def test_who_logs_in_again_goes_on_under_another_cookie():
    sessions = Sessions(600, Watch())
    cookie = sessions.open(a_session())
    before = sessions.find(cookie)
    assert before is not None
    before.drafts["/cases/1"] = {"note": ["words"]}
    later = replace(before.person, authenticated_at=NOW + timedelta(hours=1))
    renewed = sessions.renew(cookie, later, "another token", "")
    assert sessions.find(cookie) is None
    after = sessions.find(renewed)
    assert after is not None
    assert (after.token, after.drafts, after.is_fresh(NOW + timedelta(hours=1), 60)) == (
        "another token",
        {"/cases/1": {"note": ["words"]}},
        True,
    )


def test_a_picture_is_given_out_once_and_not_for_long():
    session = a_session()
    [first, second] = [session.hand_over(picture, 10.0).rpartition("/")[2] for picture in (b"one", b"two")]
    assert session.take(first, 11.0) == b"one"
    assert session.take(first, 11.0) is None
    assert session.take(second, 11.0 + PICTURE_SECONDS) is None
    assert session.take("", 11.0) is None


def test_pictures_and_what_is_remembered_do_not_grow_without_end():
    session, kept = a_session(), Kept[int]()
    for number in range(3 * MOST_PICTURES):
        session.hand_over(b"picture", float(number) / 1000)
    assert len(session.pictures) <= MOST_PICTURES
    for number in range(3 * MOST_KEPT):
        kept[str(number)] = number
    kept["100"] = 1  # used again, so it isn't the oldest
    assert len(kept) == MOST_KEPT
    assert list(kept)[-1] == "100"
