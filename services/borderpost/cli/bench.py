"""`borderpost bench`: speed by this machine, as ratios within one run. docs/performance.md has its output."""

from __future__ import annotations

import io
import itertools
import queue
import statistics
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import grpc
import numpy as np
import typer
from PIL import Image
from rich.table import Table

from borderpost.cli import show
from borderpost.cli.bench_documents import chip_line, measure_documents, page_table
from borderpost.cli.demo import make_watchlist, specimen_a
from borderpost.cli.options import Json
from borderpost.cli.stack import Stack, private_settings
from borderpost.cli.timing import KIOSK, Measured, gateway_call, in_turn, p95, table, timed
from borderpost.kiosk.client import Kiosk
from borderpost.kiosk.visits import Visit
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.clock import new_id
from borderpost.runtime.context import write_context
from borderpost.runtime.settings import EngineName, Settings, load_settings
from borderpost.runtime.tls import ensure_development_certificates
from borderpost.specimens.pages import render
from borderpost.specimens.samples import Samples, load_samples
from borderpost.v1 import faces_pb2, faces_pb2_grpc, gateway_pb2

WIDTHS: Final = (640, 1350)
ENGINES: Final[tuple[EngineName, ...]] = ("mobilefacenet", "dlib")
CALLERS: Final = (1, 2, 4, 8, 32)
STAGES: Final = ("decode", "detect", "align", "assess", "embed")

MAX_DELTA: Final = 1e-5
"""Between the values of two templates that are called equal: batches of other sizes round otherwise."""

GUIDED_FRAMES: Final = 100
"""Frames of the guided capture that is measured."""


@dataclass(frozen=True, slots=True)
class FaceTimes:
    """One face of a picture `width` pixels wide, from JPEG bytes to template: medians in milliseconds.

    `stages` are the service's own, `wire` is what the call takes beyond them.
    """

    engine: str
    width: int
    ours: float
    face_recognition: float
    stages: Mapping[str, float]

    @property
    def wire(self) -> float:
        """gRPC, TLS, protobuf and the hand-over to a thread."""
        return self.ours - sum(self.stages.values())

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.face_recognition / self.ours


@dataclass(frozen=True, slots=True)
class Throughput:
    """Faces a second from so many callers at a time; `unequal` answers differ from those to one caller alone."""

    engine: str
    callers: int
    faces_per_second: float
    unequal: int


@dataclass(frozen=True, slots=True)
class FacesMeasured:
    """What is measured of one engine, and guided frames a second by one caller."""

    times: Sequence[FaceTimes]
    throughput: Sequence[Throughput]
    guided_frames_per_second: float


@dataclass(frozen=True, slots=True)
class ScreeningTimes:
    """Whole screenings, one after another, in milliseconds; `steps` are medians."""

    count: int
    median: float
    p95: float
    steps: Mapping[str, float]


def run(
    samples: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="The sample pictures; `make samples` fetches them."),
    ] = Path(".cache/samples"),
    faces: Annotated[int, typer.Option(min=3, help="How often a face is embedded by each.")] = 15,
    rounds: Annotated[int, typer.Option(min=1, help="How often each number of callers is measured.")] = 3,
    pages: Annotated[int, typer.Option(min=5, help="How often a document is read by each.")] = 20,
    screenings: Annotated[int, typer.Option(min=5, help="How many travelers are screened.")] = 40,
    as_json: Json = False,
) -> None:
    """Measure one face against face_recognition, faces a second, a document against rapidocr, and a whole screening.

    Each with the share of its steps.

    Example: `borderpost bench --screenings 100`
    """
    pictures = load_samples(samples)
    with tempfile.TemporaryDirectory() as folder:
        settings = private_settings(Path(folder), load_settings())
        measured = [_measure_engine(settings, engine, pictures, faces, rounds) for engine in ENGINES]
        with Stack(settings):
            make_watchlist(settings, "Bench")
            screening_times = _measure_screenings(settings, pictures, screenings)
            documents = measure_documents(settings, pictures, pages)
    plain = {
        "faces": [
            {**asdict(times), "wire": times.wire, "ratio": times.ratio}
            for each in measured
            for times in each.times
        ],
        "throughput": [asdict(one) for each in measured for one in each.throughput],
        "guided_frames_per_second": {
            each.times[0].engine: each.guided_frames_per_second for each in measured
        },
        "screening": asdict(screening_times),
        "documents": {
            **asdict(documents),
            "ratio": documents.ratio,
            "passive_ratio": documents.passive_ratio,
        },
    }

    def render() -> None:
        times = [one for each in measured for one in each.times]
        show.console.print(_face_table(times))
        show.console.print(_stage_table(times))
        show.console.print(_throughput_table([one for each in measured for one in each.throughput]))
        for each in measured:
            show.console.print(
                f"Guided capture, {each.times[0].engine}: {each.guided_frames_per_second:.1f} frames a second, "
                "one caller, one core"
            )
        show.console.print(page_table(documents))
        show.console.print(chip_line(documents))
        show.console.print(_screening_table(screening_times))

    show.emit(as_json, plain, render)


def _measure_engine(
    settings: Settings, engine: EngineName, pictures: Samples, times: int, rounds: int
) -> FacesMeasured:
    """Start the faces service alone with one engine, and measure it."""
    with_engine = settings.model_copy(update={"faces": settings.faces.model_copy(update={"engine": engine})})
    stack = Stack(with_engine)
    stack.log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    ensure_development_certificates(with_engine)
    stack.launch("faces")
    try:
        stack.wait_ready("faces")
        with open_sync_channel(with_engine, "faces", "gateway") as channel:
            stub = faces_pb2_grpc.FacesServiceStub(channel)
            return FacesMeasured(
                [
                    _measure_face(stub, _scaled(pictures.a_live, width), engine, width, times)
                    for width in WIDTHS
                ],
                _measure_throughput(stub, pictures, engine, rounds),
                _measure_guided(stub, _scaled(pictures.a_live, WIDTHS[0])),
            )
    finally:
        stack.stop()


def _measure_face(
    stub: faces_pb2_grpc.FacesServiceStub, data: bytes, engine: str, width: int, times: int
) -> FaceTimes:
    spent: dict[str, list[float]] = defaultdict(list)

    def ours() -> None:
        for stage in _extract(stub, data).stages:
            spent[stage.stage].append(stage.milliseconds)

    mine, theirs = (statistics.median(taken) for taken in in_turn(times, ours, _face_recognition(data)))
    stages = {stage: statistics.median(spent[stage][1:]) for stage in STAGES}  # the first one warms up
    return FaceTimes(engine, width, mine * 1000, theirs * 1000, stages)


def _measure_throughput(
    stub: faces_pb2_grpc.FacesServiceStub, pictures: Samples, engine: str, rounds: int
) -> list[Throughput]:
    """Medians over rounds that go through all numbers of callers, so that what else the machine does meets all."""
    different = _different(pictures)
    wanted = [_extract(stub, data) for data in different]
    rates: dict[int, list[float]] = defaultdict(list)
    unequal: Counter[int] = Counter()
    order = [index % len(different) for index in range(4 * max(CALLERS))]
    for _ in range(rounds):
        for callers in CALLERS:
            answers, seconds = timed(
                partial(_from_callers, stub, [different[each] for each in order], callers)
            )
            rates[callers].append(len(order) / seconds)
            pairs = zip(order, answers, strict=True)
            unequal[callers] += sum(not _equal(answer, wanted[index]) for index, answer in pairs)
    return [Throughput(engine, each, statistics.median(rates[each]), unequal[each]) for each in CALLERS]


def _from_callers(
    stub: faces_pb2_grpc.FacesServiceStub, pictures: Sequence[bytes], callers: int
) -> list[faces_pb2.ExtractTemplateResponse]:
    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(partial(_extract, stub), pictures))


def _measure_guided(stub: faces_pb2_grpc.FacesServiceStub, data: bytes) -> float:
    """Frames a second that are answered with guidance, each sent as soon as the one before is answered."""
    answered: queue.SimpleQueue[None] = queue.SimpleQueue()

    def steps() -> Iterator[faces_pb2.GuideCaptureRequest]:
        yield faces_pb2.GuideCaptureRequest(start=faces_pb2.CaptureStart(visit_id=new_id(), challenge=True))
        for number in range(GUIDED_FRAMES):
            answered.get(timeout=30)
            yield faces_pb2.GuideCaptureRequest(
                frame=faces_pb2.CaptureFrame(picture=data, captured_ms=40 * number)
            )

    guided, started = 0, 0.0
    for answer in stub.GuideCapture(steps(), timeout=120, metadata=write_context(gateway_call())):
        if answer.HasField("session"):
            started = time.perf_counter()
        elif answer.HasField("guidance"):
            guided += 1
            ended = time.perf_counter()
        answered.put(None)
    return guided / (ended - started)


def _different(pictures: Samples) -> list[bytes]:
    """Different pictures of two people: sizes, and mirror images."""
    different = []
    for data, width in itertools.product((pictures.a_live, pictures.b_portrait), (480, 560, 640, 720)):
        picture = Image.open(io.BytesIO(_scaled(data, width)))
        different += [_jpeg(picture), _jpeg(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))]
    return different


def _equal(one: faces_pb2.ExtractTemplateResponse, other: faces_pb2.ExtractTemplateResponse) -> bool:
    """Whether two answers have the same box and, within MAX_DELTA, the same template."""
    a, b = (np.frombuffer(answer.template.values, dtype="<f4") for answer in (one, other))
    return one.box == other.box and a.shape == b.shape and bool(np.all(np.abs(a - b) <= MAX_DELTA))


def _measure_screenings(settings: Settings, pictures: Samples, times: int) -> ScreeningTimes:
    page = render(specimen_a(pictures))
    spent: dict[str, list[float]] = defaultdict(list)
    with Kiosk(settings, KIOSK) as kiosk:
        for number in range(times + 1):
            request = kiosk.request(Visit(), page, [pictures.a_live])
            answer, seconds = timed(partial(kiosk.send, request))
            if number:  # the first one warms up
                _note(spent, answer, seconds * 1000)
    whole = spent.pop("whole")
    steps = {name: statistics.median(values) for name, values in spent.items()}
    return ScreeningTimes(times, statistics.median(whole), p95(whole), steps)


def _face_table(faces: Sequence[FaceTimes]) -> Table:
    title = "One face, from JPEG bytes to template: median ms"
    rows = table(
        title, "engine", "picture", "Borderpost, over gRPC and TLS", "face_recognition, in process", "ratio"
    )
    for times in faces:
        rows.add_row(
            times.engine,
            f"{times.width} px",
            f"{times.ours:.1f}",
            f"{times.face_recognition:.1f}",
            f"{times.ratio:.1f} ×",
        )
    return rows


def _stage_table(faces: Sequence[FaceTimes]) -> Table:
    rows = table("Where the time goes: share of the call", "engine", "picture", *STAGES, "wire and hand-over")
    for times in faces:
        parts = [times.stages[stage] for stage in STAGES] + [times.wire]
        rows.add_row(
            times.engine, f"{times.width} px", *(f"{part:.1f} ms, {part / times.ours:.0%}" for part in parts)
        )
    return rows


def _throughput_table(measured: Sequence[Throughput]) -> Table:
    rows = table(
        "Callers at a time, pictures of 480 to 720 px",
        "engine",
        "callers",
        "faces/s",
        "by one caller",
        "unequal",
    )
    alone = {one.engine: one.faces_per_second for one in measured if one.callers == 1}
    for one in measured:
        rows.add_row(
            one.engine,
            str(one.callers),
            f"{one.faces_per_second:.1f}",
            f"{one.faces_per_second / alone[one.engine]:.2f} ×",
            str(one.unequal),
        )
    return rows


def _screening_table(times: ScreeningTimes) -> Table:
    title = f"A screening: median {times.median:,.0f} ms, p95 {times.p95:,.0f} ms ({times.count} in a row)"
    rows = table(title, "step", "median ms", "share of the whole")
    for name, milliseconds in times.steps.items():
        rows.add_row(name, f"{milliseconds:,.1f}", f"{milliseconds / times.median:.1%}")
    rows.caption = "Page and live face are read at the same time: shares add up to more than 100 %."
    rows.caption_justify = "left"
    return rows


def _note(spent: dict[str, list[float]], answer: gateway_pb2.ScreenTravelerResponse, whole: float) -> None:
    took = {step.name: step.milliseconds for step in answer.steps}
    looking = max(took["read_document"] + took["portrait_template"], took["live_template"])
    looking += max(took["compare"], took["search_watchlists"])
    for name, milliseconds in {**took, "gateway, log and wire": whole - looking, "whole": whole}.items():
        spent[name].append(milliseconds)


def _face_recognition(data: bytes) -> Measured:
    """What face_recognition's README shows: load a picture, take its face encodings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its model package uses pkg_resources
        import face_recognition  # noqa: PLC0415  a library for measuring against; the product never loads it

    def encode() -> Sequence[Any]:
        encodings: Sequence[Any] = face_recognition.face_encodings(
            face_recognition.load_image_file(io.BytesIO(data))
        )
        return encodings

    return encode


def _extract(stub: faces_pb2_grpc.FacesServiceStub, data: bytes) -> faces_pb2.ExtractTemplateResponse:
    request = faces_pb2.ExtractTemplateRequest(frames=[data], profile=faces_pb2.CAPTURE_PROFILE_LIVE)
    try:
        return stub.ExtractTemplate(request, timeout=60, metadata=write_context(gateway_call()))
    except grpc.RpcError as error:
        raise typer.Exit(1) from error


def _scaled(data: bytes, width: int) -> bytes:
    picture = Image.open(io.BytesIO(data))
    size = width, round(picture.height * width / picture.width)
    return _jpeg(picture.resize(size, Image.Resampling.LANCZOS))


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
