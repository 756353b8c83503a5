"""The kiosk's page in a real browser, before the real agent and the real services."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from borderpost.cli.stack import Stack, environment, free_ports
from borderpost.drill.proxy import Line
from borderpost.kiosk import Kiosk, Spool, texts
from borderpost.kiosk.camera import StillCamera
from borderpost.kiosk.web.desk import Habits
from borderpost.kiosk.web.server import make_server
from borderpost.runtime.settings import Settings
from fakes.browser import Browser, chromium

pytestmark = pytest.mark.skipif(
    chromium() is None and not os.environ.get("CI"), reason="chromium isn't installed: apt install chromium"
)


NAME = "kiosk/north/1"
WITH_FILES = Habits(files=True)
NO_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@contextlib.contextmanager
def agent(kiosk: Kiosk, habits: Habits = WITH_FILES) -> Iterator[str]:
    """The agent at a free port."""
    [port] = free_ports(1)
    server = make_server(kiosk, port, habits)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join()


def step(browser: Browser, name: str) -> None:
    """Wait for a step, whose heading then has the focus."""
    browser.until(f"!document.getElementById({name!r}).hidden")
    assert browser.value(f"document.activeElement === document.querySelector('#{name} h1')")


def press(browser: Browser, selector: str, key: str = "Enter") -> None:
    browser.tab_to(selector)
    browser.press(key)


def files_of(tmp_path: Path, page: bytes, face: bytes) -> tuple[Path, Path]:
    (tmp_path / "page.jpg").write_bytes(page)
    (tmp_path / "face.jpg").write_bytes(face)
    return tmp_path / "page.jpg", tmp_path / "face.jpg"


def test_a_traveler_goes_ahead_by_keyboard_and_one_who_is_somebody_else_goes_to_the_officer(
    kiosk, travelers, tmp_path
):
    """On a kiosk without a camera: both choose pictures. Nothing leaves the machine, nothing is complained about."""
    page, face = files_of(tmp_path, travelers.page_a, travelers.samples.a_live)
    with agent(kiosk) as url, Browser(tmp_path / "profile", without=NO_CAMERA) as browser:
        browser.open(url)
        press(browser, "[data-start=en]")
        step(browser, "what")
        press(browser, "#start", "Space")
        step(browser, "document")
        browser.choose_file("#document-file", page)
        step(browser, "side")
        press(browser, "#side-next")
        step(browser, "face")
        browser.choose_file("#face-file", face)
        step(browser, "GO")
        assert browser.value("document.querySelector('#GO h1').textContent") == texts("en")["GO"]

        press(browser, "#GO [data-finish]")
        step(browser, "welcome")
        press(browser, "[data-start=de]")
        step(browser, "what")
        assert browser.value("document.documentElement.lang") == "de"
        press(browser, "#start")
        step(browser, "document")
        browser.choose_file("#document-file", page)
        step(browser, "side")
        press(browser, "#side-next")
        step(browser, "face")
        face.write_bytes(travelers.samples.b_live)
        browser.choose_file("#face-file", face)
        step(browser, "OFFICER")
        shown = browser.value("document.getElementById('OFFICER').innerText")
        assert shown.split("\n\n")[:2] == [texts("de")["OFFICER"], texts("de")["OFFICER_HOW"]]
        assert_quiet(browser, url)


def test_a_traveler_is_guided_before_the_camera_and_goes_ahead(kiosk, travelers, tmp_path):
    page, _ = files_of(tmp_path, travelers.page_a, b"")
    seen = video(tmp_path / "seen.mjpeg", travelers.samples.a_live)
    with (
        agent(kiosk) as url,
        Browser(tmp_path / "profile", f"--use-file-for-fake-video-capture={seen}") as browser,
    ):
        browser.open(url)
        press(browser, "[data-start=en]")
        step(browser, "what")
        press(browser, "#start")
        step(browser, "document")
        browser.until("document.getElementById('document-video').videoWidth > 0")
        browser.choose_file("#document-file", page)
        step(browser, "side")
        browser.value(  # it may be there for a moment only
            "new MutationObserver(() => window.guided ||= document.getElementById('face-notice').textContent)"
            ".observe(document.getElementById('face-notice'), {childList: true, characterData: true, subtree: true})"
        )
        press(browser, "#side-next")
        browser.until("!!window.guided")
        step(browser, "GO")
        assert_quiet(browser, url)


def nobody() -> bytes:
    """A picture of no face."""
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), "#8fa3a8").save(buffer, "JPEG")
    return buffer.getvalue()


def to_face(browser: Browser, page: Path, start: str = "#start") -> None:
    """From the choice of the language to the step of the face, or further for who declines one."""
    press(browser, "[data-start=en]")
    step(browser, "what")
    press(browser, start)
    step(browser, "document")
    browser.choose_file("#document-file", page)
    if start == "#start":
        step(browser, "side")
        press(browser, "#side-next")
        step(browser, "face")


def test_who_declines_goes_to_the_officer_without_a_picture_of_the_face(kiosk, travelers, tmp_path, stack):
    page, _ = files_of(tmp_path, travelers.page_a, b"")
    with agent(kiosk) as url, Browser(tmp_path / "profile", without=NO_CAMERA) as browser:
        browser.open(url)
        to_face(browser, page, start="#decline")
        step(browser, "OFFICER")
        assert_quiet(browser, url)


def test_who_must_try_again_is_told_what_to_do_and_goes_ahead(kiosk, travelers, tmp_path):
    page, face = files_of(tmp_path, travelers.page_a, nobody())
    with agent(kiosk) as url, Browser(tmp_path / "profile", without=NO_CAMERA) as browser:
        browser.open(url)
        to_face(browser, page)
        browser.choose_file("#face-file", face)
        step(browser, "AGAIN")
        assert browser.value("document.querySelectorAll('#advice li').length") > 0
        press(browser, "#again")
        step(browser, "document")
        browser.choose_file("#document-file", page)
        step(browser, "side")
        press(browser, "#side-next")
        step(browser, "face")
        face.write_bytes(travelers.samples.a_live)
        browser.choose_file("#face-file", face)
        step(browser, "GO")
        assert_quiet(browser, url)


QUICK = "const slow = setTimeout; window.setTimeout = (act, ms) => slow(act, ms > 10000 ? ms / 40 : ms);"
"""A minute of waiting is a second and a half."""


def test_who_seems_to_have_left_is_asked_first_and_the_page_is_back_at_its_beginning_without_an_answer(
    kiosk, tmp_path
):
    with agent(kiosk) as url, Browser(tmp_path / "profile") as browser:
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=QUICK)
        browser.open(url)
        press(browser, "[data-start=en]")
        step(browser, "what")
        for _ in range(2):
            browser.until("document.getElementById('still').open")
            assert browser.value("document.activeElement.id") == "stay"
            browser.press("Enter")
            assert not browser.value("document.getElementById('still').open")
            assert browser.value("!document.getElementById('what').hidden")
        browser.until("document.getElementById('still').open")
        step(browser, "welcome")
        assert_quiet(browser, url)


@contextlib.contextmanager
def behind_a_line(stack: Stack) -> Iterator[tuple[Settings, Callable[[], Line]]]:
    """Settings of a kiosk whose line to the gateway is down until it is made, and what makes it."""
    [port] = free_ports(1)
    own = stack.settings.gateway
    section = own.model_copy(update={"address": f"127.0.0.1:{port}"})
    made: list[Line] = []

    def make() -> Line:
        made.append(Line(port, int(own.address.rpartition(":")[2])))
        return made[-1]

    yield stack.settings.model_copy(update={"gateway": section}), make
    for line in made:
        line.close()


def test_without_a_connection_the_officer_helps_and_the_capture_is_screened_when_it_is_back(
    stack, travelers, tmp_path
):
    page, face = files_of(tmp_path, travelers.page_a, travelers.samples.a_live)
    with behind_a_line(stack) as (settings, connect):
        spool = Spool(tmp_path / "spool", settings, NAME)
        with Kiosk(settings, NAME, spool=spool) as kiosk:
            line = connect()
            kiosk.submit_kept()  # fetches the key
            line.close()
            kiosk.submit_in_background = partial(kiosk.submit_in_background, 0.5)
            with agent(kiosk) as url, Browser(tmp_path / "profile", without=NO_CAMERA) as browser:
                browser.open(url)
                to_face(browser, page)
                browser.choose_file("#face-file", face)
                step(browser, "OFFICER")
                assert len(spool.waiting()) == 1
                connect()
                ends = time.monotonic() + 15
                while spool.waiting() and time.monotonic() < ends:
                    time.sleep(0.1)
                assert (spool.waiting(), spool.refused()) == ([], [])
                assert_quiet(browser, url)


def test_the_command_serves_the_page_until_it_is_told_to_end(stack, travelers, tmp_path):
    page, face = files_of(tmp_path, travelers.page_a, travelers.samples.a_live)
    [port] = free_ports(1)
    command = [
        "borderpost",
        "kiosk",
        "serve",
        "--files",
        "--port",
        str(port),
        "--spool",
        str(tmp_path / "spool"),
    ]
    borderpost = Path(sys.executable).with_name("borderpost")
    with subprocess.Popen(
        [borderpost, *command[1:]], env=environment(stack.settings), stdout=subprocess.PIPE, text=True
    ) as served:
        try:
            url = served.stdout.readline().split()[-1]
            assert url == f"http://127.0.0.1:{port}/"
            with Browser(tmp_path / "profile", without=NO_CAMERA) as browser:
                browser.open(url)
                to_face(browser, page)
                browser.choose_file("#face-file", face)
                step(browser, "GO")
                assert_quiet(browser, url)
        finally:
            served.send_signal(signal.SIGTERM)
        assert served.wait(10) in (0, -signal.SIGTERM)


def test_a_kiosk_that_takes_no_files_and_has_no_camera_sends_everybody_to_the_officer(kiosk, tmp_path):
    with agent(kiosk, Habits()) as url, Browser(tmp_path / "profile", without=NO_CAMERA) as browser:
        browser.open(url)
        press(browser, "[data-start=en]")
        step(browser, "what")
        press(browser, "#start")
        step(browser, "OFFICER")
        assert_quiet(browser, url)


def video(file: Path, picture: bytes) -> Path:
    """What the browser takes for a camera: some seconds of a person who sways, over and over."""
    camera = StillCamera(picture)
    file.write_bytes(b"".join(camera.frame() for _ in range(40)))
    return file


def assert_quiet(browser: Browser, url: str) -> None:
    """Nothing was asked of another machine, and the browser complained about nothing."""
    assert browser.complaints == []
    assert {urlsplit(asked).netloc for asked in browser.requested} == {urlsplit(url).netloc}
