"""The agent on a kiosk over HTTP, with a kiosk that remembers what it was given: who may ask, and what is kept."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from importlib import resources

import grpc
import pytest
import uvicorn

from borderpost.kiosk import Captured, Guided, Next, Told, Visit
from borderpost.kiosk.messages import CATALOGUES
from borderpost.kiosk.web import desk as desks
from borderpost.kiosk.web.app import FILES, PICTURE_BYTES, make_app
from borderpost.kiosk.web.desk import IDLE_SECONDS, MOST_ATTEMPTS, Desk, Habits
from borderpost.kiosk.web.server import PortTakenError, listen
from borderpost.runtime.status import RemoteError
from borderpost.v1 import faces_pb2, types_pb2

JPEG = b"\xff\xd8\xff a picture"
OUTAGE = RemoteError(grpc.StatusCode.UNAVAILABLE, "X", "away")


@dataclass
class FakeKiosk:
    """Answers what it is set to, and remembers what it got."""

    told: Told = field(default_factory=lambda: Told(Next.GO))
    screened: list[tuple[Visit, Captured, str]] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    guiding_fails: bool = False
    submitting: bool = False
    challenges: list[bool] = field(default_factory=list)
    gate: threading.Event | None = None

    def screen(self, visit, captured, language=""):
        visit.attempts += 1
        if self.gate is not None:
            self.gate.wait(10)
        self.screened.append((visit, captured, language))
        if isinstance(self.told, RemoteError):
            raise self.told
        return self.told

    def guide(self, visit, camera, tell=lambda _: None, challenge=False, language=""):
        self.challenges.append(challenge)
        for number, frame in enumerate(camera, 1):
            self.frames.append(frame)
            if self.guiding_fails:
                raise OUTAGE
            tell(faces_pb2.CaptureGuidance(prompt=f"prompt {number}", progress=50 * number))
            if number == 2:
                break
        return Guided(tuple(self.frames), b"token", faces_pb2.CaptureResult())

    def submit_in_background(self):
        self.submitting = True


@dataclass
class Agent:
    """The agent at its port, and a page that was opened."""

    port: int
    kiosk: FakeKiosk
    desk: Desk
    clock: list[float]
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method, path, body=b"", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def open(self):
        answer, body = self.ask("GET", "/")
        self.headers = {
            "Origin": f"http://127.0.0.1:{self.port}",
            "Cookie": answer.headers["Set-Cookie"].split(";")[0],
            "X-Borderpost-Token": re.search(rb'name="token" content="([^"]+)"', body)[1].decode(),
        }

    def post(self, name, body=b"", kind="image/jpeg", **changed):
        headers = {**self.headers, "Content-Type": kind, **changed}
        answer, body = self.ask("POST", f"/api/{name}", body, **headers)
        return answer.status, body

    def say(self, name, **what):
        return self.post(name, json.dumps(what).encode(), "application/json")

    def begin(self, language="de", **what):
        assert self.say("begin", language=language, **what)[0] == 200

    def screen(self, **what):
        status, body = self.say("screen", **what)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture
def agent():
    kiosk, clock = FakeKiosk(), [0.0]
    desk = Desk(kiosk, Habits(files=True), now=lambda: clock[0])
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(make_app(desk, port), log_level="critical", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        made = Agent(port, kiosk, desk, clock)
        try:
            made.open()
            yield made
        finally:
            server.should_exit = True
            thread.join()


def test_every_answer_forbids_what_the_page_does_not_need(agent):
    for path in ("/", "/kiosk.js", "/texts.json", "/nothing"):
        answer, _ = agent.ask("GET", path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_cookie_is_for_this_page_alone(agent):
    cookie = agent.ask("GET", "/")[0].headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_every_file_of_the_page_is_served_and_none_has_a_script_or_a_style_within():
    page = resources.files("borderpost.kiosk.web") / "page"
    names = {file.name for file in page.iterdir()}
    assert names == {*FILES, "index.html"}
    html = (page / "index.html").read_text("utf-8")
    assert not re.search(r"<style|<script[^>]*>[^<]|\sstyle=|\son\w+=", html)
    for name in names - {"mark.svg"}:  # its name space is an address that nobody asks for
        assert not re.search(r"https?://", (page / name).read_text("utf-8")), name


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", ""])
def test_another_name_of_this_machine_is_not_served(agent, host):
    answer, _ = agent.ask("GET", "/", Host=host.format(port=agent.port))
    assert answer.status in (400, 403)


@pytest.mark.parametrize(
    "changed",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Cookie": ""},
        {"Cookie": "borderpost=other"},
        {"Cookie": "borderpost=\xe4"},
        {"X-Borderpost-Token": "other"},
        {"X-Borderpost-Token": ""},
    ],
)
def test_nobody_but_the_page_changes_anything(agent, changed):
    agent.begin()
    assert agent.post("page", JPEG, **changed)[0] == 403
    assert agent.desk.pictures.page == b""
    assert agent.post("page", JPEG)[0] == 200


def test_a_page_of_another_site_cannot_end_a_visit_by_opening_the_page_anew(agent):
    agent.begin()
    assert agent.ask("GET", "/", **{"Sec-Fetch-Site": "cross-site"})[0].status == 403
    assert agent.desk.visit is not None


def test_a_page_that_is_opened_anew_ends_the_session_before_and_forgets_its_pictures(agent):
    agent.begin()
    agent.post("page", JPEG)
    before = dict(agent.headers)
    agent.open()
    assert agent.desk.pictures.page == b""
    assert agent.post("page", JPEG, **before)[0] == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "image/jpeg", 415),
        (b"<svg onload='x'>", "image/jpeg", 415),
        (JPEG, "image/png", 415),
        (JPEG, "text/html", 415),
        (JPEG, "multipart/form-data; boundary=x", 415),
        (JPEG + bytes(PICTURE_BYTES), "image/jpeg", 413),
    ],
)
@pytest.mark.parametrize("name", ["page", "other", "face"])
def test_what_is_no_picture_or_too_large_is_not_taken(agent, name, body, kind, status):
    agent.begin()
    try:
        assert agent.post(name, body, kind)[0] == status
    except (BrokenPipeError, ConnectionResetError):
        assert status == 413  # it was refused while it was still being sent
    assert getattr(agent.desk.pictures, name) == b""


def test_a_body_that_grows_without_saying_how_long_it_is_is_cut_off(agent):
    agent.begin()
    parts = iter([JPEG, *([bytes(1 << 20)] * 13)])
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        assert agent.post("page", parts)[0] == 413
    assert agent.desk.pictures.page == b""


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"language":"xx"}', b'{"language":{}}', b"[" * 900]
)
def test_what_is_not_asked_well_begins_no_visit(agent, body):
    assert agent.post("begin", body, "application/json")[0] == 400
    assert agent.desk.visit is None


def test_a_screening_gets_what_was_captured_and_nothing_is_left_of_it(agent):
    agent.begin("de")
    for name in ("page", "other", "face"):
        assert agent.post(name, JPEG + name.encode())[0] == 200
    assert agent.screen() == {"next": "GO", "advice": []}
    [(_, captured, language)] = agent.kiosk.screened
    assert captured == Captured(JPEG + b"page", (JPEG + b"face",), portrait_page=JPEG + b"other")
    assert language == "de"
    assert agent.desk.pictures == desks.Pictures()
    assert agent.desk.visit is None


def test_the_page_is_told_no_reason(agent):
    agent.kiosk.told = Told(Next.OFFICER, reason="SECRET_REASON")
    agent.begin()
    agent.post("page", JPEG)
    status, body = agent.say("screen")
    assert (status, json.loads(body)) == (200, {"next": "OFFICER", "advice": []})


def test_who_declines_has_no_face_sent_whatever_the_page_took(agent):
    agent.begin()
    agent.post("page", JPEG)
    agent.post("face", JPEG)
    agent.screen(declined=True)
    [(_, captured, _)] = agent.kiosk.screened
    assert captured == Captured(JPEG, declined=True)


def test_another_attempt_is_of_the_same_visit_with_pictures_taken_anew(agent):
    advice = types_pb2.CaptureProblem(code="X", advice="Come closer.")
    agent.kiosk.told = Told(Next.AGAIN, (advice,))
    agent.begin()
    agent.post("page", JPEG)
    assert agent.screen() == {"next": "AGAIN", "advice": ["Come closer."]}
    assert agent.say("screen")[0] == 409
    agent.post("page", JPEG)
    agent.screen()
    first, second = (visit.visit_id for visit, _, _ in agent.kiosk.screened)
    assert first == second


def test_pictures_that_cannot_be_read_are_asked_for_again_and_then_the_officer_helps(agent):
    agent.kiosk.told = RemoteError(grpc.StatusCode.INVALID_ARGUMENT, "X", "no picture")
    agent.begin()
    told = []
    for _ in range(MOST_ATTEMPTS):
        agent.post("page", JPEG)
        told.append(agent.screen()["next"])
    assert told == ["AGAIN"] * (MOST_ATTEMPTS - 1) + ["OFFICER"]


def test_travelers_of_a_group_have_its_id_and_others_have_another(agent):
    for group in (False, True, False):
        agent.begin(group=group)
        agent.post("page", JPEG)
        agent.screen()
    first, second, third = (visit.group_id for visit, _, _ in agent.kiosk.screened)
    assert first == second != third


def test_frames_are_guided_and_those_that_were_chosen_are_screened_with_their_token(agent):
    agent.begin()
    agent.post("page", JPEG)
    assert agent.post("frame", JPEG)[0] == 409
    assert agent.say("guide")[0] == 200
    first = json.loads(agent.post("frame", JPEG + b"1")[1])
    assert (first["prompt"], first["progress"], first["done"]) == ("prompt 1", 50, False)
    agent.post("frame", JPEG + b"2")
    while not json.loads(agent.post("frame", JPEG + b"3")[1])["done"]:
        pass
    agent.screen()
    [(_, captured, _)] = agent.kiosk.screened
    assert (captured.frames, captured.token) == ((JPEG + b"1", JPEG + b"2"), b"token")


def test_a_guided_capture_that_breaks_off_gives_its_last_frame(agent):
    agent.kiosk.guiding_fails = True
    agent.begin()
    agent.post("page", JPEG)
    agent.say("guide")
    while not json.loads(agent.post("frame", JPEG)[1])["done"]:
        pass
    agent.screen()
    [(_, captured, _)] = agent.kiosk.screened
    assert (captured.frames, captured.token) == ((JPEG,), b"")


@pytest.mark.parametrize("how", ["end", "idle"])
def test_who_leaves_is_forgotten_with_all_pictures_and_the_camera_is_let_go(agent, how):
    agent.begin()
    agent.post("page", JPEG)
    agent.say("guide")
    agent.post("frame", JPEG)
    guiding = agent.desk.pictures.guiding
    if how == "end":
        agent.say("end")
    else:
        agent.clock[0] += IDLE_SECONDS
        assert agent.desk.end_if_idle()
    assert agent.desk.pictures == desks.Pictures()
    assert guiding.captured() == ((), b"")
    assert agent.desk.visit is None
    assert agent.post("page", JPEG)[0] == 409


def test_a_page_opened_anew_while_a_screening_runs_comes_back_by_itself(agent):
    agent.kiosk.gate = threading.Event()
    agent.begin()
    agent.post("page", JPEG)
    screening = threading.Thread(target=agent.screen)
    screening.start()
    try:
        while not agent.desk.busy:
            time.sleep(0.01)
        answer, _ = agent.ask("GET", "/")
        assert (answer.status, answer.headers["Refresh"]) == (503, "1")
    finally:
        agent.kiosk.gate.set()
        screening.join()
    assert agent.ask("GET", "/")[0].status == 200


def test_a_kiosk_takes_no_files_for_faces_unless_it_is_said_to(agent):
    agent.desk.habits = Habits()
    agent.begin()
    assert agent.post("face", JPEG)[0] == 403
    assert agent.desk.pictures.face == b""
    assert b'name="files" content="no"' in agent.ask("GET", "/")[1]


def test_a_visit_is_of_the_kiosks_direction_and_captures_have_a_challenge_where_it_wants_one(agent):
    agent.desk.habits = Habits(types_pb2.DIRECTION_EXIT, challenge=True)
    agent.begin()
    agent.post("page", JPEG)
    agent.say("guide")
    for _ in range(2):
        agent.post("frame", JPEG)
    agent.screen()
    [(visit, _, _)] = agent.kiosk.screened
    assert visit.direction == types_pb2.DIRECTION_EXIT
    assert agent.kiosk.challenges == [True]


def test_who_says_that_they_are_still_there_gets_more_time_as_often_as_they_like(agent):
    agent.begin()
    agent.post("page", JPEG)
    for _ in range(12):
        agent.clock[0] += IDLE_SECONDS - 1
        assert agent.say("here")[0] == 200
        assert not agent.desk.end_if_idle()
    assert agent.desk.pictures.page == JPEG


def test_what_waits_in_the_spool_is_submitted_while_the_agent_runs(agent):
    assert agent.kiosk.submitting


def test_a_port_that_another_program_has_is_an_error_that_says_what_to_do(agent):
    with pytest.raises(PortTakenError, match="--port"):
        listen(agent.port)


def _page(name):
    return (resources.files("borderpost.kiosk.web") / "page" / name).read_text("utf-8")


def test_every_text_of_the_catalogues_is_shown_and_every_text_that_is_shown_is_in_them():
    page, script = _page("index.html"), _page("kiosk.js")
    shown = set(re.findall(r'data-(?:text|word)="([A-Z_]+)"', page)) | set(
        re.findall(r"words\(\)\.([A-Z_]+)", script)
    )
    assert shown | {"LANGUAGE"} == set(CATALOGUES["en"])


def _luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_controls_stand_out_from_what_they_are_on(theme):
    """WCAG 2.2, 1.4.3 (text: 4.5) and 1.4.11 (controls, focus, lines that mean something: 3)."""
    block = re.findall(r":root \{(.*?)\}", _page("kiosk.css"), re.DOTALL)[theme]
    colors = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
    text = [("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("main", "paper"), ("main", "card")]
    text += [("on-main", "main")]
    for one, other in text:
        assert _contrast(colors[one], colors[other]) >= 4.5, (one, other)
    for one, other in (("focus", "paper"), ("focus", "card"), ("line", "paper"), ("line", "card")):
        assert _contrast(colors[one], colors[other]) >= 3, (one, other)
