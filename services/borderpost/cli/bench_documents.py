"""The part of `borderpost bench` about documents: a page beside rapidocr, and passive authentication."""

from __future__ import annotations

import io
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import grpc
import numpy as np
import typer
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image
from rich.table import Table

from borderpost.cli.demo import specimen_a
from borderpost.cli.people import ADMINISTRATOR, Person
from borderpost.cli.timing import Measured, gateway_call, in_turn, p95, table, timed
from borderpost.kiosk.chip import chip_files
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.clock import to_timestamp
from borderpost.runtime.context import write_context
from borderpost.runtime.settings import Settings
from borderpost.specimens.chip import ChipOrder, SpecimenChip, make_chip
from borderpost.specimens.pages import mrz_lines, render
from borderpost.specimens.samples import Samples
from borderpost.specimens.signing import DEFAULT_ALGORITHM
from borderpost.v1 import documents_pb2, documents_pb2_grpc, trust_pb2

PASSIVE: Final = "chip_passive"
"""The service's name for the step."""

SIGNATURES: Final = 2
"""That passive authentication verifies for each chip: the document signer's, and that of the signer's certificate.

By the specimens' usual algorithm, DEFAULT_ALGORITHM: ECDSA on P-256 with SHA-256.
"""


@dataclass(frozen=True, slots=True)
class DocumentTimes:
    """Milliseconds of a document with a page of `width` pixels and a chip, over gRPC and TLS.

    `stages` are medians of the service's own steps for page and chip together; `passive` is that of passive
    authentication, `signatures` what verifying its signatures alone takes.
    """

    width: int
    count: int
    median: float
    p95: float
    rapidocr: float
    stages: Mapping[str, float]
    passive: float
    signatures: float

    @property
    def ratio(self) -> float:
        """How many times as fast ours is as rapidocr over the whole page."""
        return self.rapidocr / self.median

    @property
    def passive_ratio(self) -> float:
        """Passive authentication by its signatures alone."""
        return self.passive / self.signatures


def measure_documents(settings: Settings, pictures: Samples, times: int) -> DocumentTimes:
    """Read one document again and again, in turn with rapidocr. The services run; Utopia is trusted afterwards."""
    specimen = specimen_a(pictures)
    page = render(specimen)
    chip = make_chip(ChipOrder(mrz_lines(specimen), pictures.a_portrait, datetime.now(UTC)))
    _trust(settings, chip)
    spent: dict[str, list[float]] = defaultdict(list)
    with open_sync_channel(settings, "documents", "gateway") as channel:
        stub = documents_pb2_grpc.DocumentsServiceStub(channel)
        request = documents_pb2.ReadDocumentRequest(
            page=page, at=to_timestamp(datetime.now(UTC)), chip=chip_files(chip)
        )

        def ours() -> None:
            for stage in _read(stub, request).stages:
                spent[stage.stage].append(stage.milliseconds)

        mine, theirs = in_turn(times, ours, _rapidocr(page))
    stages = {name: statistics.median(taken[1:]) for name, taken in spent.items()}  # the first one warms up
    return DocumentTimes(
        width=Image.open(io.BytesIO(page)).width,
        count=times,
        median=statistics.median(mine) * 1000,
        p95=p95(mine) * 1000,
        rapidocr=statistics.median(theirs) * 1000,
        stages=stages,
        passive=stages[PASSIVE],
        signatures=_signatures_alone(times),
    )


def page_table(times: DocumentTimes) -> Table:
    """How long a document takes, and where the time goes."""
    title = f"A document, {times.width:,} px page and chip: median {times.median:,.0f} ms, p95 {times.p95:,.0f} ms"
    rows = table(title, "step", "median ms", "share of the whole")
    wire = times.median - sum(times.stages.values())
    for name, milliseconds in {**times.stages, "wire and hand-over": wire}.items():
        rows.add_row(name, f"{milliseconds:,.1f}", f"{milliseconds / times.median:.1%}")
    rows.caption = f"rapidocr over the whole page, in process: {times.rapidocr:,.0f} ms, {times.ratio:.1f} ×"
    rows.caption_justify = "left"
    return rows


def chip_line(times: DocumentTimes) -> str:
    """How long passive authentication takes."""
    return (
        f"Passive authentication: {times.passive:.1f} ms; its {SIGNATURES} signatures ({DEFAULT_ALGORITHM}) by "
        f"cryptography alone: {times.signatures:.2f} ms, {times.passive_ratio:.1f} ×"
    )


def _trust(settings: Settings, chip: SpecimenChip) -> None:
    """Import what Utopia publishes, so that every step of passive authentication is taken."""
    with Person(settings, ADMINISTRATOR) as administrator:
        for name in ("csca.cer", "crl.crl"):
            request = trust_pb2.ImportTrustRequest(file=chip.trust[name], source=name)
            administrator.ask(administrator.trust.ImportTrust, request)


def _read(
    stub: documents_pb2_grpc.DocumentsServiceStub, request: documents_pb2.ReadDocumentRequest
) -> documents_pb2.ReadDocumentResponse:
    try:
        return stub.ReadDocument(request, timeout=60, metadata=write_context(gateway_call()))
    except grpc.RpcError as error:
        raise typer.Exit(1) from error


def _rapidocr(page: bytes) -> Measured:
    """What rapidocr's README shows: make a reader, give it a picture."""
    from rapidocr import RapidOCR  # noqa: PLC0415  slow to load, and for measuring against only

    read: Callable[[Any], object] = RapidOCR(params={"Global.log_level": "critical"})
    return lambda: read(np.asarray(Image.open(io.BytesIO(page)).convert("RGB"))[..., ::-1])


def _signatures_alone(times: int) -> float:
    """Median milliseconds of verifying the chip's signatures, with nothing read and nothing compared."""
    key, message, scheme = ec.generate_private_key(ec.SECP256R1()), bytes(120), ec.ECDSA(hashes.SHA256())
    verify = partial(key.public_key().verify, key.sign(message, scheme), message, scheme)
    taken = [sum(timed(verify)[1] for _ in range(SIGNATURES)) for _ in range(max(times, 50))]
    return statistics.median(taken) * 1000
