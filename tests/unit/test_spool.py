"""The spool: what is in it can't be read by the kiosk, survives every moment, and never grows past its bounds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from borderpost.kiosk import spool as spool_module
from borderpost.kiosk.answers import Submitted
from borderpost.kiosk.spool import Spool, SpoolError, keep
from borderpost.runtime.clock import new_id
from borderpost.runtime.settings import Settings
from borderpost.runtime.spooling import UnreadableError, is_signed_by, key_id_of, open_capture, seal_capture
from borderpost.runtime.status import RemoteError
from borderpost.runtime.tls import ensure_development_certificates
from borderpost.v1 import gateway_pb2

KIOSK = "kiosk/north/1"
CANARY = b"CANARY-PICTURE"


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    made = Settings(state_dir=tmp_path_factory.mktemp("spool"))
    ensure_development_certificates(made)
    return made


@pytest.fixture
def private():
    return X25519PrivateKey.generate()


@pytest.fixture
def spool(tmp_path, certified, private):
    made = Spool(tmp_path / "spool", certified, KIOSK, most_captures=3, most_bytes=20_000)
    made.use_key(_key(private))
    return made


def _key(private, most_age_seconds=0):
    public = private.public_key().public_bytes_raw()
    return gateway_pb2.GetSpoolKeyResponse(
        key_id=key_id_of(public), public_key=public, most_age_seconds=most_age_seconds
    )


def _request(page=CANARY):
    return gateway_pb2.ScreenTravelerRequest(request_id=new_id(), document_page=page)


def _again(spool, certified):
    return Spool(spool._folder, certified, KIOSK)


def test_what_is_kept_is_there_after_a_restart_signed_and_for_the_gateway_alone(spool, certified, private):
    request = _request()
    assert spool.keep(request)
    [kept] = _again(spool, certified).waiting()
    submitted = kept.request()
    certificate = x509.load_der_x509_certificate(submitted.certificate)
    assert is_signed_by(certificate, submitted.sealed, submitted.signature)
    assert open_capture(private, KIOSK, submitted.sealed).request == request
    with pytest.raises(UnreadableError):
        open_capture(X25519PrivateKey.generate(), KIOSK, submitted.sealed)


def test_no_picture_lies_in_clear_on_the_kiosk_and_nobody_else_may_read_its_files(spool):
    spool.keep(_request())
    files = list(spool._folder.iterdir())
    assert len(files) == 2
    for file in files:
        assert CANARY not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0


def test_a_full_spool_takes_nothing_more_and_loses_nothing(spool):
    assert [spool.keep(_request()) for _ in range(5)] == [True, True, True, False, False]
    assert len(spool.waiting()) == 3


def test_a_capture_that_is_larger_than_what_is_left_is_not_kept(spool):
    assert not spool.keep(_request(bytes(30_000)))
    assert spool.keep(_request(bytes(10_000)))
    assert not spool.keep(_request(bytes(10_000)))


def test_the_oldest_is_submitted_first(spool):
    requests = [_request() for _ in range(3)]
    for request in requests:
        spool.keep(request)
    assert [kept.path.stem for kept in spool.waiting()] == [request.request_id for request in requests]


def test_a_damaged_file_is_an_error_that_names_it(spool):
    spool.keep(_request())
    [kept] = spool.waiting()
    kept.path.write_bytes(b"\xff\xff")
    with pytest.raises(SpoolError, match="can't be read"):
        kept.request()


@pytest.mark.parametrize("content", [b"\xff\xff\xff", b"", b"\x12\x02ab"])
def test_a_damaged_or_foreign_key_file_keeps_nothing_and_breaks_nothing(spool, content):
    (spool._folder / spool_module.KEY_FILE).write_bytes(content)
    assert not spool.keep(_request())


@pytest.mark.parametrize("failure", [SpoolError("full"), OSError("full"), ValueError("no key")])
def test_whatever_fails_while_it_is_kept_the_traveler_is_not_left_standing(spool, monkeypatch, failure):
    def fails(*_):
        raise failure

    monkeypatch.setattr(spool, "keep", fails)
    assert keep(spool, _request(), RemoteError(StatusCode.UNAVAILABLE, "UNAVAILABLE", "away")) is False


def _aside(spool):
    return [path.name.split(".")[1] for path in spool.refused()]


def test_a_capture_that_the_gateway_fails_over_waits_and_is_set_aside_after_some_times(spool):
    spool.keep(_request())
    for tries in (1, 2):
        [kept] = spool.waiting()
        spool.not_taken(kept, Submitted.TRY_AGAIN, "INTERNAL")
        assert [kept.tries for kept in spool.waiting()] == [tries]
    spool.not_taken(*spool.waiting(), Submitted.TRY_AGAIN, "INTERNAL")
    assert (spool.waiting(), _aside(spool)) == ([], ["INTERNAL"])
    assert spool.put_back() == 1
    assert [kept.tries for kept in spool.waiting()] == [0]


def test_what_is_too_old_is_let_go_and_counted_also_after_a_restart(spool, certified):
    spool.keep(_request())
    spool.not_taken(*spool.waiting(), Submitted.GONE, "SPOOL_TOO_OLD")
    assert (spool.waiting(), spool.refused()) == ([], [])
    assert _again(spool, certified).dropped() == 1


def test_what_is_set_aside_takes_no_room_and_where_there_are_too_many_others_wait(spool, monkeypatch):
    monkeypatch.setattr(spool_module, "MOST_ASIDE", 2)
    for _ in range(3):
        assert spool.keep(_request())
        spool.not_taken(spool.waiting()[-1], Submitted.ASIDE, "PICTURE_DAMAGED")
    assert (len(spool.refused()), len(spool.waiting()), spool.dropped()) == (2, 1, 0)
    assert [spool.keep(_request()) for _ in range(3)] == [True, True, False]


def test_where_there_is_no_room_what_is_too_old_by_the_kiosks_clock_goes_first(spool, private, monkeypatch):
    spool.use_key(_key(private, most_age_seconds=3600))
    old = [_request() for _ in range(2)]
    assert [spool.keep(request) for request in (*old, _request())] == [True, True, True]
    assert not spool.keep(_request())
    for request, kept in zip(old, spool.waiting(), strict=False):
        kept.path.rename(spool._folder / kept.path.name.replace(request.request_id[:8], "01a00000"))
    assert spool.keep(_request())
    assert (len(spool.waiting()), spool.dropped()) == (2, 2)


def test_a_folder_that_has_become_read_only_is_an_error_for_people(spool):
    spool.keep(_request())
    [kept] = spool.waiting()
    kept.path.unlink()
    with pytest.raises(SpoolError, match="want a folder that this kiosk can write"):
        spool.not_taken(kept, Submitted.ASIDE, "X")


def test_many_threads_that_keep_at_once_stay_within_the_bounds(spool):
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: spool.keep(_request()), range(24)))
    assert sum(kept) == len(spool.waiting()) == 3


def test_what_another_program_may_be_writing_now_is_left_alone(spool, certified):
    part = spool._folder / "0011.part"
    part.write_bytes(b"half")
    _again(spool, certified)
    assert part.exists()
    os.utime(part, (0, 0))
    _again(spool, certified)
    assert not part.exists()


KEEPS_ON = """
import sys
from pathlib import Path
from borderpost.kiosk.spool import Spool
from borderpost.runtime.clock import new_id
from borderpost.runtime.settings import Settings
from borderpost.v1 import gateway_pb2
spool = Spool(Path(sys.argv[1]), Settings(state_dir=Path(sys.argv[2])), "kiosk/north/1", 10_000)
while True:
    request = gateway_pb2.ScreenTravelerRequest(request_id=new_id(), document_page=bytes(50_000))
    assert spool.keep(request)
    print(request.request_id, flush=True)
"""


def test_a_kiosk_that_is_killed_has_every_capture_that_it_said_it_kept_and_each_is_whole(
    spool, certified, private
):
    command = [sys.executable, "-c", KEEPS_ON, str(spool._folder), str(certified.state_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kiosk:
        said = [kiosk.stdout.readline().strip() for _ in range(20)]
        kiosk.send_signal(signal.SIGKILL)
        said += kiosk.stdout.read().split()
    kept = {each.path.name.partition(".")[0]: each for each in _again(spool, certified).waiting()}
    assert set(said) <= set(kept)
    for each in kept.values():
        assert len(open_capture(private, KIOSK, each.request().sealed).request.document_page) == 50_000


class PowerOff(BaseException):
    """The machine stops here."""


class SpoolMachine(RuleBasedStateMachine):
    """Whatever is done in whatever order: what waits is what was kept and not taken, oldest first, within bounds."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.settings = Settings(state_dir=Path(self.place.name) / "state")
        ensure_development_certificates(self.settings)
        self.private = X25519PrivateKey.generate()
        self.waiting: dict[str, int] = {}
        self.aside: set[str] = set()
        self.gone = 0
        self.reopen()
        self.spool.use_key(_key(self.private))

    def teardown(self) -> None:
        self.place.cleanup()

    @rule()
    def reopen(self) -> None:
        self.spool = Spool(Path(self.place.name) / "spool", self.settings, KIOSK, most_captures=4)

    @rule()
    def keep(self) -> None:
        request = _request()
        assert self.spool.keep(request) == (len(self.waiting) < 4)
        if len(self.waiting) < 4:
            self.waiting[request.request_id] = 0

    @rule()
    def power_goes_while_one_is_kept(self) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Path, "rename", _stop)
            patched.setattr(spool_module.Spool, "_has_room", lambda *_: True)
            with pytest.raises(PowerOff):
                self.spool.keep(_request())

    @rule(place=st.integers(0, 3), becomes=st.sampled_from([*Submitted, None]))
    def submit(self, place: int, becomes: Submitted | None) -> None:
        kept = self.spool.waiting()
        if place >= len(kept) or becomes is Submitted.STOP:
            return
        name = kept[place].path.name.partition(".")[0]
        if becomes is None:
            self.spool.remove(kept[place])
            del self.waiting[name]
            return
        self.spool.not_taken(kept[place], becomes, "REASON")
        self.waiting[name] += becomes is Submitted.TRY_AGAIN
        if becomes is Submitted.GONE:
            del self.waiting[name]
            self.gone += 1
        elif becomes is Submitted.ASIDE or self.waiting[name] >= spool_module.MOST_TRIES:
            del self.waiting[name]
            self.aside.add(name)

    @rule()
    def put_back(self) -> None:
        assert self.spool.put_back() == len(self.aside)
        self.waiting |= dict.fromkeys(self.aside, 0)
        self.aside.clear()

    @invariant()
    def all_is_there(self) -> None:
        kept = {each.path.name.partition(".")[0]: each.tries for each in self.spool.waiting()}
        assert kept == self.waiting
        assert list(kept) == sorted(kept)
        assert {path.name.partition(".")[0] for path in self.spool.refused()} == self.aside
        assert self.spool.dropped() == self.gone


def _stop(*_):
    raise PowerOff


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("at", ["fsync", "rename", "sync_folder"])
def test_at_whatever_moment_the_power_goes_a_capture_is_whole_or_not_there(
    spool, certified, private, monkeypatch, at
):
    request = _request()
    target = {
        "fsync": (os, "fsync"),
        "rename": (Path, "rename"),
        "sync_folder": (spool_module, "_sync_folder"),
    }
    with monkeypatch.context() as patched:
        patched.setattr(*target[at], _stop)
        with pytest.raises(PowerOff):
            spool.keep(request)
    for part in spool._folder.glob("*.part"):
        os.utime(part, (0, 0))
    again = _again(spool, certified)
    assert not list(spool._folder.glob("*.part"))
    for kept in again.waiting():
        assert open_capture(private, KIOSK, kept.request().sealed).request == request


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_arbitrary_bytes_are_never_opened_as_a_capture(private, data):
    with pytest.raises(UnreadableError):
        open_capture(private, KIOSK, data)


def test_a_capture_for_another_kiosk_is_not_opened(private):
    public = private.public_key().public_bytes_raw()
    capture = gateway_pb2.SpooledCapture(schema_version=1, request=_request(), kiosk_id="kiosk/south/1")
    with pytest.raises(UnreadableError):
        open_capture(private, KIOSK, seal_capture(public, capture))
