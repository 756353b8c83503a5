"""10,000 mixed pictures from 8 callers over real gRPC: every answer is the one that a caller alone gets."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from borderpost.cli.stack import Stack, private_settings
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.context import new_traceparent, write_context
from borderpost.runtime.settings import load_settings
from borderpost.runtime.tls import ensure_development_certificates
from borderpost.v1 import faces_pb2, faces_pb2_grpc

SAMPLES = Path(__file__).parents[2] / ".cache/samples"
CALLERS = 8
CALLS = 10_000
MAX_DELTA = 1e-5
"""Per value of a template: batches of other sizes round otherwise in the last bits."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[faces_pb2_grpc.FacesServiceStub]:
    """The faces service alone, as a process, with more threads than this machine may have cores: so it batches."""
    settings = private_settings(tmp_path, load_settings())
    settings = settings.model_copy(update={"faces": settings.faces.model_copy(update={"threads": 6})})
    stack = Stack(settings)
    stack.log_dir.mkdir(parents=True, mode=0o700)
    ensure_development_certificates(settings)
    stack.launch("faces")
    try:
        stack.wait_ready("faces")
        with open_sync_channel(settings, "faces", "gateway") as channel:
            yield faces_pb2_grpc.FacesServiceStub(channel)
    finally:
        stack.stop()


def mixed_pictures() -> list[bytes]:
    """Faces of many sizes, two at a time, mirrored, grey, as JPEG and as PNG, and some with none."""
    paths = sorted(SAMPLES.glob("*.jpg"))
    if not paths:
        pytest.skip("the sample pictures are not there: `make samples` fetches them")
    pictures = [Image.new("RGB", (200 + 10 * number, 240), (90, 90, 90)) for number in range(8)]
    for path in paths:
        whole = Image.open(path)
        for width in range(160, 660, 50):
            face = whole.resize((width, round(whole.height * width / whole.width)))
            mirrored = face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            pictures += [face, mirrored.convert("L")]
            both = Image.new("RGB", (2 * width, face.height))
            both.paste(face)
            both.paste(mirrored, (width, 0))
            pictures.append(both)
    kinds = ("JPEG", "PNG")
    return [_encoded(picture, kinds[number % 2]) for number, picture in enumerate(pictures)]


def test_every_answer_to_eight_callers_is_the_one_to_a_caller_alone(
    stub: faces_pb2_grpc.FacesServiceStub, record_property: Callable[[str, object], None]
) -> None:
    pictures = mixed_pictures()
    alone = [extract(stub, data) for data in pictures]
    assert sum(answer.HasField("template") for answer in alone) > len(pictures) / 2
    order = np.random.default_rng(11).integers(0, len(pictures), CALLS)
    greatest = 0.0
    with ThreadPoolExecutor(CALLERS) as callers:
        for index, answer in zip(
            order, callers.map(lambda i: extract(stub, pictures[i]), order), strict=True
        ):
            wanted = alone[index]
            assert (answer.box, list(answer.other_boxes)) == (wanted.box, list(wanted.other_boxes))
            assert [each.code for each in answer.problems] == [each.code for each in wanted.problems]
            assert answer.HasField("template") == wanted.HasField("template")
            greatest = max(greatest, delta(answer, wanted))
    record_property("greatest_difference", greatest)
    assert greatest <= MAX_DELTA


def extract(stub: faces_pb2_grpc.FacesServiceStub, data: bytes) -> faces_pb2.ExtractTemplateResponse:
    actor = Actor("soak", "kiosk/north/1")
    call = Call("", actor, Role.GATEWAY, actor, frozenset({Role.KIOSK}), "", "", new_traceparent())
    request = faces_pb2.ExtractTemplateRequest(frames=[data], profile=faces_pb2.CAPTURE_PROFILE_LIVE)
    try:
        return stub.ExtractTemplate(request, timeout=60, metadata=write_context(call))
    except grpc.RpcError as error:
        pytest.fail(f"{error.code()}: {error.details()}")


def delta(one: faces_pb2.ExtractTemplateResponse, other: faces_pb2.ExtractTemplateResponse) -> float:
    a, b = (np.frombuffer(answer.template.values, dtype="<f4") for answer in (one, other))
    return float(np.abs(a - b).max(initial=0.0))


def _encoded(picture: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, quality=90)
    return out.getvalue()
