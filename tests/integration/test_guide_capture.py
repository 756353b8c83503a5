"""GuideCapture over real sockets, TLS and interceptors, with callers that are slow, silent, gone or too many.

Faces are fakes that read what is to be seen from the frame (`fakes.looks`); all else is the service's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from borderpost.cli.stack import private_settings
from borderpost.faces.capture.app import Captures
from borderpost.faces.capture.stream import CaptureStreams, StreamLimits
from borderpost.faces.capture.token import CaptureTokens
from borderpost.faces.domain import Status
from borderpost.faces.servicer import FacesServicer
from borderpost.gateway.front import register_front
from borderpost.runtime import interceptors
from borderpost.runtime.calls import Actor, Role
from borderpost.runtime.channels import COMMON_OPTIONS, open_channel
from borderpost.runtime.clock import SystemClock, new_id
from borderpost.runtime.interceptors import ChainInterceptor
from borderpost.runtime.people import People
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.settings import SERVICES, Settings
from borderpost.runtime.tls import load_credentials
from borderpost.v1 import faces_pb2 as pb
from borderpost.v1 import faces_pb2_grpc
from fakes.looks import DAMAGED, FakeLooks, frame, thumbnail_of
from fakes.requests import spoken_for

KIOSK = Actor("borderpost.local", "kiosk/north/1")
SECONDS = 20
NOBODY = People(None, None, SystemClock())
"""No person is known here."""
HIDDEN = "hidden by gRPC's asyncio client, where one of its writes met the closed stream"
AHEAD = StreamLimits(open_at_once=3, ms=6_000, silence_ms=1_000, frames=400)


@dataclass
class Service:
    """Faces, and a gateway before it, in this process."""

    settings: Settings
    looks: FakeLooks = field(default_factory=FakeLooks)
    pool: WorkPool = field(default_factory=lambda: WorkPool(threads=2, queue=4))
    limits: StreamLimits = AHEAD

    def __post_init__(self):
        self.tokens = CaptureTokens(Ed25519PrivateKey.generate())
        self.captures = Captures(
            self.looks, self.tokens, SystemClock(), with_eyes=True, thumbnail_of=thumbnail_of
        )
        self.streams = CaptureStreams(self.captures, self.pool, self.limits)

    @contextlib.asynccontextmanager
    async def served(self):
        faces = await self._start("faces", at_gateway=False)
        faces_pb2_grpc.add_FacesServiceServicer_to_server(
            FacesServicer(None, self.pool, self.captures, self.streams), faces
        )
        await faces.start()
        channel = open_channel(self.settings, "faces", "gateway")
        gateway = await self._start("gateway", at_gateway=True)
        register_front(gateway, dict.fromkeys(SERVICES, channel))
        await gateway.start()
        try:
            yield self
        finally:
            await gateway.stop(0)
            await channel.close()
            await faces.stop(0)
            self.pool.close()

    async def _start(self, name, at_gateway):
        own = load_credentials(self.settings, name)
        server = grpc.aio.server(
            interceptors=[ChainInterceptor(self.settings.trust_domain, NOBODY, None, at_gateway, self.pool)],
            options=COMMON_OPTIONS,
        )
        credentials = grpc.ssl_server_credentials([(own.key, own.certificate)], own.ca, True)
        server.add_secure_port(self.settings.service(name).address, credentials)
        return server

    @contextlib.asynccontextmanager
    async def asked(self, way="direct", kiosk=KIOSK.subject):
        """An open call: straight to faces as the gateway would, or as a kiosk through the gateway."""
        name, identity = ("faces", "gateway") if way == "direct" else ("gateway", kiosk)
        metadata = spoken_for(Role.KIOSK, self.settings) if way == "direct" else ()
        async with open_channel(self.settings, name, identity) as channel:
            call = faces_pb2_grpc.FacesServiceStub(channel).GuideCapture(metadata=metadata, timeout=SECONDS)
            yield call
            call.cancel()

    async def until_none_is_open(self, seconds=5.0):
        until = time.monotonic() + seconds
        while self.streams.open:
            assert time.monotonic() < until, "a capture is left open"
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return private_settings(tmp_path_factory.mktemp("guide"), Settings())


@pytest.fixture
async def service(settings) -> AsyncIterator[Service]:
    async with Service(settings).served() as running:
        yield running


def start(**changes):
    return pb.GuideCaptureRequest(start=pb.CaptureStart(**{"visit_id": new_id()} | changes))


def sent(data=None, captured_ms=None):
    at_ms = round(time.monotonic() * 1000) if captured_ms is None else captured_ms
    return pb.GuideCaptureRequest(frame=pb.CaptureFrame(picture=data or frame(), captured_ms=at_ms))


async def answers_of(call):
    answers = []
    while (answer := await call.read()) is not grpc.aio.EOF:
        answers.append(answer)
    return answers


async def film(call, make=lambda action: frame(), every=0.05):
    """Send a frame now and then, and read what is said, until the result. Returns all answers, and all frames."""
    answers, frames = [await call.read()], []
    action = pb.CAPTURE_ACTION_LOOK_STRAIGHT

    async def send():
        with contextlib.suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            while not ended.is_set():
                frames.append(make(action))
                await call.write(sent(frames[-1]))
                await asyncio.sleep(every)
            await call.done_writing()

    ended = asyncio.Event()
    sender = asyncio.create_task(send())
    while (answer := await call.read()) is not grpc.aio.EOF:
        answers.append(answer)
        if answer.HasField("guidance"):
            action = answer.guidance.action
        if answer.HasField("result"):
            ended.set()
    sender.cancel()
    await asyncio.wait([sender])
    return answers, frames


async def reason_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answers_of(call)
    status = rpc_status.from_call(caught.value)
    if status is None and "Internal error from Core" in caught.value.details():
        return HIDDEN, {}
    assert status, caught.value
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info.reason, dict(info.metadata)


@pytest.mark.parametrize("way", ["direct", "through the gateway"])
async def test_a_capture_completes_with_the_frames_to_send_and_a_token_that_holds_for_them(service, way):
    async with service.asked(way) as call:
        visit_id = new_id()
        await call.write(start(visit_id=visit_id))
        answers, frames = await film(call)
    assert answers[0].session.session_id
    assert all(answer.HasField("guidance") for answer in answers[1:-1])
    assert answers[-2].guidance.progress == 100
    result = answers[-1].result
    assert result.end == pb.CAPTURE_END_COMPLETE
    assert len(result.frames) >= 5
    assert not result.problems
    chosen = [frames[number] for number in result.frames]
    now = SystemClock().now()
    assert (
        service.tokens.check(result.capture_token, visit_id, KIOSK, chosen, now).status
        is Status.NOT_PERFORMED
    )
    assert service.tokens.check(result.capture_token, new_id(), KIOSK, chosen, now).reasons


@pytest.mark.parametrize("way", ["direct", "through the gateway"])
async def test_a_challenge_that_is_followed_passes(service, way):
    yaws = {pb.CAPTURE_ACTION_TURN_LEFT: 25.0, pb.CAPTURE_ACTION_TURN_RIGHT: -25.0}
    acted = {"action": None, "since": 0.0, "blinks": 0}

    def living(action):
        if action != acted["action"]:
            acted.update(action=action, since=time.monotonic())
        if time.monotonic() - acted["since"] < 0.4:
            return frame(eyes=0.9)
        if action == pb.CAPTURE_ACTION_BLINK:
            acted["blinks"] += 1
            return frame(eyes=0.1 if acted["blinks"] % 4 < 2 else 0.9)
        size = 130 if action == pb.CAPTURE_ACTION_MOVE_CLOSER else 100
        return frame(yaw=yaws.get(action, 0.0), size=size, eyes=0.9)

    async with service.asked(way) as call:
        await call.write(start(challenge=True, language="de"))
        answers, _ = await film(call, living)
    result = answers[-1].result
    assert (result.liveness.status, list(result.liveness.reasons)) == (1, [])
    assert (result.liveness.method, result.liveness.measured) == ("challenge 1", False)
    assert len({answer.guidance.action for answer in answers[1:-1]}) >= 3
    assert all(answer.guidance.prompt for answer in answers[1:-1])


async def test_steps_done_by_another_face_do_not_pass(service):
    yaws = {pb.CAPTURE_ACTION_TURN_LEFT: 25.0, pb.CAPTURE_ACTION_TURN_RIGHT: -25.0}
    acted = {"action": None, "since": 0.0}

    def swapping(action):
        if action != acted["action"]:
            acted.update(action=action, since=time.monotonic())
        if action == pb.CAPTURE_ACTION_LOOK_STRAIGHT or time.monotonic() - acted["since"] < 0.4:
            return frame("anna")
        size = 130 if action == pb.CAPTURE_ACTION_MOVE_CLOSER else 100
        return frame("bert", yaw=yaws.get(action, 0.0), size=size, problem="HEAD_TURNED")

    service.captures._with_eyes = False
    async with service.asked() as call:
        await call.write(start(challenge=True))
        answers, _ = await film(call, swapping)
    assert list(answers[-1].result.liveness.reasons) == ["CHALLENGE_FACE_CHANGED"]


async def test_while_one_frame_is_looked_at_only_the_newest_that_follows_is_kept(service):
    async with service.asked() as call:
        await call.write(start())
        await call.read()
        await call.write(sent(frame(slow=0.5)))
        await asyncio.to_thread(service.looks.begun.wait, 5)
        for _ in range(50):
            await call.write(sent())
        await call.done_writing()
        answers = await answers_of(call)
    looked_at = [answer.guidance.frame for answer in answers if answer.HasField("guidance")]
    assert looked_at == [0, 50]
    assert answers[-1].result.end == pb.CAPTURE_END_BY_CALLER


async def test_a_frame_that_is_no_picture_is_guidance(service):
    async with service.asked() as call:
        await call.write(start())
        await call.read()
        await call.write(sent(DAMAGED))
        guidance = (await call.read()).guidance
        assert [problem.code for problem in guidance.problems] == ["PICTURE_UNREADABLE"]
        await call.done_writing()
        (last,) = await answers_of(call)
    assert not last.result.frames
    assert not last.result.capture_token
    assert [problem.code for problem in last.result.problems] == ["PICTURE_UNREADABLE"]


async def test_a_caller_that_falls_silent_gets_what_there_is(service):
    async with service.asked() as call:
        await call.write(start())
        await call.write(sent())
        answers = await answers_of(call)
    assert answers[-1].result.end == pb.CAPTURE_END_SILENCE
    assert len(answers[-1].result.frames) == 1
    await service.until_none_is_open()


async def test_time_ends_a_capture_that_nothing_comes_of(service):
    service.streams._limits = StreamLimits(open_at_once=2, ms=700)
    async with service.asked() as call:
        await call.write(start())
        answers, _ = await film(call, lambda action: frame(""))
    assert answers[-1].result.end == pb.CAPTURE_END_TIME
    assert [problem.code for problem in answers[-1].result.problems] == ["NO_FACE"]


async def test_a_flood_ends_itself_when_the_frames_are_used_up(service):
    async with service.asked() as call:
        await call.write(start())
        same = frame(same=1)
        for _ in range(AHEAD.frames):
            await call.write(sent(same, captured_ms=1))
        answers = await answers_of(call)
    assert answers[-1].result.end == pb.CAPTURE_END_FRAMES
    assert service.looks.looked < AHEAD.frames
    await service.until_none_is_open()


@pytest.mark.parametrize("way", ["direct", "through the gateway"])
async def test_a_caller_that_vanishes_leaves_nothing_behind(service, way):
    async with service.asked(way) as call:
        await call.write(start())
        await call.read()
        await call.write(sent(frame(slow=0.3)))
        assert service.streams.open == 1
        call.cancel()
    await service.until_none_is_open()


@pytest.mark.parametrize("way", ["direct", "through the gateway"])
async def test_a_caller_that_takes_no_answers_is_cut_off(service, monkeypatch, way):
    monkeypatch.setattr(interceptors, "WRITE_SECONDS", 0.5)
    monkeypatch.setattr("borderpost.faces.capture.wire.prompt", lambda *_: "long " * 200_000)
    service.streams._limits = StreamLimits(open_at_once=2, ms=60_000, frames=10_000)
    async with service.asked(way) as call:
        await call.write(start())

        async def send():
            with contextlib.suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
                while True:
                    await call.write(sent(frame("")))
                    await asyncio.sleep(0.02)

        sender = asyncio.create_task(send())
        await asyncio.sleep(0.2)
        assert service.streams.open == 1
        await service.until_none_is_open(seconds=10)
        sender.cancel()
        await asyncio.wait([sender])
        reason, _ = await reason_of(call)
    assert reason == "SLOW_READER"


async def test_more_captures_than_the_service_takes_are_turned_away_with_a_time_to_try_again(service):
    service.streams._limits = StreamLimits(open_at_once=2, per_caller=3)
    async with service.asked() as one, service.asked() as two:
        for call in (one, two):
            await call.write(start())
            await call.read()
        async with service.asked() as three:
            reason, details = await reason_of(three)
        assert reason == "TOO_MANY_CAPTURES"
        assert int(details["retry_after_ms"]) > 0
    await service.until_none_is_open()
    async with service.asked() as call:
        await call.write(start())
        assert (await call.read()).session.session_id, "there is room again"


async def test_one_kiosk_takes_no_more_places_than_its_own(service):
    async with service.asked("gateway") as one, service.asked("gateway") as two:
        for call in (one, two):
            await call.write(start())
            await call.read()
        async with service.asked("gateway") as three:
            reason, _ = await reason_of(three)
        assert reason == "TOO_MANY_CAPTURES"
        async with service.asked("gateway", kiosk="kiosk/south/1") as another:
            await another.write(start())
            assert (await another.read()).session.session_id


@pytest.mark.parametrize(
    "messages",
    [
        [sent(captured_ms=1)],
        [start(visit_id="")],
        [start(visit_id="4711")],
        [start(), start()],
        [start(), sent(captured_ms=5), sent(captured_ms=4)],
        [pb.GuideCaptureRequest()],
        [start(), pb.GuideCaptureRequest()],
        [],
    ],
    ids=["no start", "no visit", "no id", "two starts", "time falls", "nothing", "empty", "none"],
)
@pytest.mark.parametrize("way", ["direct", "through the gateway"])
async def test_what_breaks_the_order_of_messages_is_a_typed_error(service, messages, way):
    reason = HIDDEN
    while reason is HIDDEN:
        async with service.asked(way) as call:
            for message in messages:
                with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    await call.write(message)
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await call.done_writing() if not messages else None
            reason, _ = await reason_of(call)
    assert reason == "INVALID_REQUEST"
    await service.until_none_is_open()


async def test_who_opens_a_stream_and_says_nothing_is_not_waited_for(service):
    async with service.asked() as call:
        reason, _ = await reason_of(call)
    assert reason == "INVALID_REQUEST"
    await service.until_none_is_open()


async def test_a_full_pool_costs_frames_and_not_the_capture(service):
    blocked = [asyncio.create_task(service.pool.run(time.sleep, 0.5)) for _ in range(6)]
    await asyncio.sleep(0)
    async with service.asked() as call:
        await call.write(start())
        answers, _ = await film(call)
    await asyncio.gather(*blocked)
    assert answers[-1].result.end == pb.CAPTURE_END_COMPLETE


async def test_without_the_faces_service_the_gateway_says_so(settings):
    gateway = Service(settings)
    server = await gateway._start("gateway", at_gateway=True)
    async with open_channel(settings, "faces", "gateway") as channel:
        register_front(server, dict.fromkeys(SERVICES, channel))
        await server.start()
        async with gateway.asked("through the gateway") as call:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call.write(start())
            reason, _ = await reason_of(call)
        await server.stop(0)
    gateway.pool.close()
    assert reason == "UNAVAILABLE"


async def test_a_caller_that_goes_on_sending_after_the_result_gets_it_all_the_same(service):
    async def hurry(call):
        await call.write(start())
        frames = [await call.read()]

        async def send():
            with contextlib.suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
                while True:
                    await call.write(sent(frame()))

        sender = asyncio.create_task(send())
        while not frames[-1].HasField("result"):
            frames.append(await call.read())
        sender.cancel()
        await asyncio.wait([sender])
        return frames[-1].result

    async with service.asked("through the gateway") as call:
        assert (await hurry(call)).end in (pb.CAPTURE_END_COMPLETE, pb.CAPTURE_END_FRAMES)
    await service.until_none_is_open()
