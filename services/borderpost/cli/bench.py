"""`borderpost bench`: speed by this machine, as ratios within one run. docs/performance.md has its output."""

from __future__ import annotations

import io
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import grpc
import typer
from PIL import Image
from rich.table import Table

from borderpost.cli import show
from borderpost.cli.demo import make_watchlist, specimen_a
from borderpost.cli.options import Json
from borderpost.cli.stack import Stack, private_settings
from borderpost.kiosk.client import Kiosk, Visit
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.context import new_traceparent, write_context
from borderpost.runtime.settings import Settings, load_settings
from borderpost.specimens.samples import Samples, load_samples
from borderpost.specimens.td3 import render
from borderpost.v1 import faces_pb2, faces_pb2_grpc, gateway_pb2

WIDTHS: Final = (640, 1350)
KIOSK: Final = "kiosk/north/1"

Measured = Callable[[], object]


@dataclass(frozen=True, slots=True)
class FaceTimes:
    """One face of a picture `width` pixels wide, from JPEG bytes to template: medians in milliseconds."""

    width: int
    ours: float
    face_recognition: float

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.face_recognition / self.ours


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
    faces: Annotated[int, typer.Option(min=3, help="How often a face is embedded by each.")] = 7,
    screenings: Annotated[int, typer.Option(min=5, help="How many travelers are screened.")] = 40,
    as_json: Json = False,
) -> None:
    """Measure one face against face_recognition, and a whole screening with the share of each step.

    Example: `borderpost bench --screenings 100`
    """
    pictures = load_samples(samples)
    with tempfile.TemporaryDirectory() as folder:
        settings = private_settings(Path(folder), load_settings())
        with Stack(settings):
            make_watchlist(settings, "Bench")
            face_times = _measure_faces(settings, pictures, faces)
            screening_times = _measure_screenings(settings, pictures, screenings)
    plain = {
        "faces": [{**asdict(times), "ratio": times.ratio} for times in face_times],
        "screening": asdict(screening_times),
    }

    def render() -> None:
        show.console.print(_face_table(face_times))
        show.console.print(_screening_table(screening_times))

    show.emit(as_json, plain, render)


def _measure_faces(settings: Settings, pictures: Samples, times: int) -> list[FaceTimes]:
    measured = []
    with open_sync_channel(settings, "faces", "gateway") as channel:
        stub = faces_pb2_grpc.FacesServiceStub(channel)
        for width in WIDTHS:
            data = _scaled(pictures.a_live, width)
            ours, theirs = _in_turn(times, partial(_extract, stub, data), _face_recognition(data))
            measured.append(FaceTimes(width, ours * 1000, theirs * 1000))
    return measured


def _measure_screenings(settings: Settings, pictures: Samples, times: int) -> ScreeningTimes:
    page = render(specimen_a(pictures))
    spent: dict[str, list[float]] = defaultdict(list)
    with Kiosk(settings, KIOSK) as kiosk:
        for number in range(times + 1):
            request = kiosk.request(Visit(), page, [pictures.a_live])
            answer, seconds = _timed(partial(kiosk.send, request))
            if number:  # the first one warms up
                _note(spent, answer, seconds * 1000)
    whole = spent.pop("whole")
    steps = {name: statistics.median(values) for name, values in spent.items()}
    return ScreeningTimes(times, statistics.median(whole), statistics.quantiles(whole, n=20)[-1], steps)


def _face_table(faces: Sequence[FaceTimes]) -> Table:
    title = "One face, from JPEG bytes to template: median ms"
    rows = _table(title, "picture", "Borderpost, over gRPC and TLS", "face_recognition, in process", "ratio")
    for times in faces:
        rows.add_row(
            f"{times.width} px", f"{times.ours:.1f}", f"{times.face_recognition:.1f}", f"{times.ratio:.1f} ×"
        )
    return rows


def _screening_table(times: ScreeningTimes) -> Table:
    title = f"A screening: median {times.median:,.0f} ms, p95 {times.p95:,.0f} ms ({times.count} in a row)"
    rows = _table(title, "step", "median ms", "share of the whole")
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
    actor = Actor("bench", KIOSK)
    call = Call("", actor, Role.GATEWAY, actor, frozenset({Role.KIOSK}), "", "", new_traceparent())
    request = faces_pb2.ExtractTemplateRequest(frames=[data], profile=faces_pb2.CAPTURE_PROFILE_LIVE)
    try:
        return stub.ExtractTemplate(request, timeout=30, metadata=write_context(call))
    except grpc.RpcError as error:
        raise typer.Exit(1) from error


def _in_turn(times: int, first: Measured, second: Measured) -> tuple[float, float]:
    """Run both in turn, so that whatever else the machine does meets both; return the medians in seconds."""
    first(), second()
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for kept, measured in zip(taken, (first, second), strict=True):
            kept.append(_timed(measured)[1])
    return statistics.median(taken[0]), statistics.median(taken[1])


def _timed(measured: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = measured()
    return result, time.perf_counter() - started


def _scaled(data: bytes, width: int) -> bytes:
    picture = Image.open(io.BytesIO(data))
    buffer = io.BytesIO()
    picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS).save(
        buffer, "JPEG", quality=92
    )
    return buffer.getvalue()


def _table(title: str, *columns: str) -> Table:
    rows = show.table(*columns)
    rows.title, rows.title_justify = title, "left"
    for column in rows.columns[1:]:
        column.justify = "right"
    return rows
