"""The kiosk's page in a real browser, before the real agent and the real services."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from borderpost.kiosk import Kiosk, texts
from borderpost.kiosk.camera import StillCamera
from borderpost.kiosk.web.server import make_server
from fakes.browser import Browser, chromium

pytestmark = pytest.mark.skipif(
    chromium() is None and not os.environ.get("CI"), reason="chromium isn't installed: apt install chromium"
)


@contextlib.contextmanager
def agent(kiosk: Kiosk) -> Iterator[str]:
    """The agent at a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = make_server(kiosk, port)
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
    no_camera = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with agent(kiosk) as url, Browser(tmp_path / "profile", without=no_camera) as browser:
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
        press(browser, "#side-next")
        browser.until("document.getElementById('face-notice').textContent !== ''")
        step(browser, "GO")
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
