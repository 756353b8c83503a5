"""Requests made at random, to every method in every way: each is answered or gets a typed error, and all goes on."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator

import grpc
import pytest

from borderpost.cli.demo import make_watchlist
from borderpost.cli.stack import Stack, private_settings
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.health import serves
from borderpost.runtime.settings import SERVICES, Settings
from borderpost.runtime.status import from_rpc_error
from fakes.fuzz import Fuzz
from fakes.requests import METHODS, Ask, good_request, ways

SEED = "borderpost"
FEW, MANY = 1_500, 50_000
SECONDS = 20.0
REASON = re.compile(r"[A-Z][A-Z0-9_]+")

NEVER = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED}
"""What no request whatever may be answered with."""

NOT_FUZZED = {
    # They work on everything that is there, for as long as it takes.
    "/borderpost.v1.DecisionsService/VerifyLog",
    "/borderpost.v1.DecisionsService/ExportEvents",
    "/borderpost.v1.WatchlistService/MeasureWatchlist",
    "/borderpost.v1.SubjectsService/ApplyRetention",
}

GOOD_AGAIN = 25
"""Good requests, whose making takes other calls, are made anew after so many uses."""


class Target:
    """The services, as anybody who may call them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ask = Ask(settings, self._answered)
        self._channels = {}
        self._good = {}
        self.codes: Counter[str] = Counter()

    def send(self, way, path, request):
        key = (way.service, way.identity)
        if key not in self._channels:
            self._channels[key] = open_sync_channel(self.settings, way.service, way.identity)
        channel, method = self._channels[key], METHODS[path][1]
        more = {"timeout": SECONDS, "metadata": way.sent(self.settings)}
        if method.client_streaming:
            return list(channel.stream_stream(path)(iter([request]), **more))[-1:]
        if method.server_streaming:
            return list(channel.unary_stream(path)(request, **more))[-1:]
        return channel.unary_unary(path)(request, **more)

    def good(self, path):
        uses, made = self._good.get(path, (0, None))
        if made is None or uses >= GOOD_AGAIN:
            uses, made = 0, good_request(path, self.ask)
        self._good[path] = (uses + 1, made)
        copy = type(made)()
        copy.CopyFrom(made)
        return copy

    def fuzz(self, number):
        """Send request `number`; return what is wrong with the answer, if anything is."""
        choice = random.Random(f"{SEED}/{number}/way")  # noqa: S311  reproducible
        path = choice.choice([path for path in METHODS if path not in NOT_FUZZED])
        way = choice.choice(ways(path))
        kind = METHODS[path][1].input_type._concrete_class
        request = Fuzz(f"{SEED}/{number}").request(kind, lambda: self.good(path))
        try:
            self.send(way, path, request)
        except grpc.RpcError as raised:
            error = from_rpc_error(raised)
            self.codes[f"{error.code.name} {error.reason}"] += 1
            typed = not error.by_grpc and REASON.fullmatch(error.reason)
            too_large = error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            if error.code in NEVER or not (typed or too_large):
                return f"{number} {path} at {way.service}: {error.code.name} {error.reason} {error.message[:200]}"
        else:
            self.codes["OK"] += 1
        return ""

    def close(self):
        for channel in self._channels.values():
            channel.close()

    def _answered(self, path, request):
        answer = self.send(ways(path)[0], path, request.SerializeToString())
        return METHODS[path][1].output_type._concrete_class.FromString(answer)


@pytest.fixture
def fuzzed_stack(partnered, tmp_path_factory) -> Iterator[Stack]:
    """Services of their own: what is thrown at them isn't to be found by other tests."""
    settings = partnered(private_settings(tmp_path_factory.mktemp("fuzz"), Settings()))
    with Stack(settings) as stack:
        make_watchlist(stack.settings, "Empty")
        yield stack


def _run(stack, count):
    target = Target(stack.settings)
    try:
        faults = [fault for fault in map(target.fuzz, range(count)) if fault]
    finally:
        target.close()
    assert faults == [], "\n".join(faults[:20])
    assert stack.ended() == []
    for name in SERVICES:
        with open_sync_channel(stack.settings, name, "console") as channel:
            until = time.monotonic() + 5
            while not serves(channel):
                assert time.monotonic() < until, name
        assert "unforeseen_error" not in stack.log_file(name).read_text("utf-8"), name
    assert len(target.codes) > 5, target.codes
    assert target.codes["OK"] > count / 50
    return target.codes


def test_requests_made_at_random_get_typed_errors_only(fuzzed_stack):
    _run(fuzzed_stack, FEW)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_thousand_requests_made_at_random_get_typed_errors_only(fuzzed_stack):
    assert sum(_run(fuzzed_stack, MANY).values()) == MANY


def test_the_same_number_makes_the_same_request():
    kind = METHODS["/borderpost.v1.DecisionsService/AppendScreening"][1].input_type._concrete_class
    assert Fuzz("a/1").grammatical(kind) == Fuzz("a/1").grammatical(kind)
    assert Fuzz("a/1").grammatical(kind) != Fuzz("a/2").grammatical(kind)
