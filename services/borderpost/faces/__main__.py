"""Composition root of the faces service."""

from __future__ import annotations

import os
from dataclasses import asdict, replace

import grpc
import structlog

from borderpost.faces.adapters.batching import BatchingEmbedder
from borderpost.faces.adapters.engines import load_engine
from borderpost.faces.adapters.onnx_liveness import OnnxLiveness
from borderpost.faces.app import Faces
from borderpost.faces.capture.app import Captures
from borderpost.faces.capture.liveness import METHOD, VERSION
from borderpost.faces.capture.stream import CaptureStreams, StreamLimits
from borderpost.faces.capture.token import CaptureTokens
from borderpost.faces.ports import Engine
from borderpost.faces.servicer import FacesServicer
from borderpost.runtime.calibration import load_calibration
from borderpost.runtime.channels import open_channel
from borderpost.runtime.clock import SystemClock
from borderpost.runtime.event_log import GrpcLog
from borderpost.runtime.pool import WorkPool
from borderpost.runtime.reporting import Report
from borderpost.runtime.server import Service, serve
from borderpost.runtime.settings import Settings
from borderpost.runtime.signing import load_signing_key
from borderpost.v1 import faces_pb2_grpc
from borderpost.v1.decisions_pb2 import Versions

_log = structlog.get_logger(__name__)


async def build(settings: Settings, pool: WorkPool) -> Service:
    """Build the service; the weights are verified and loaded before it serves."""
    engine = _batching(await pool.run(load_engine, settings.faces.engine, settings.faces.card))
    card = engine.embedder.card
    calibration = load_calibration(card.id, settings.calibrations)
    _log.info("model", **asdict(card), fingerprint=card.fingerprint, calibration=calibration.id)
    faces = Faces(engine, calibration)
    await pool.warm_up(faces.warm_up)
    captures = _captures(settings, faces, engine)
    streams = CaptureStreams(captures, pool, StreamLimits(settings.faces.captures))
    servicer = FacesServicer(faces, pool, captures, streams)

    def register(server: grpc.aio.Server) -> None:
        faces_pb2_grpc.add_FacesServiceServicer_to_server(servicer, server)

    async def ready() -> bool:
        return True

    versions = Versions(model_id=card.id, calibration_id=calibration.id)
    log = GrpcLog(open_channel(settings, "decisions", "faces"))
    report = Report(log.deliver, lambda: versions)
    return Service(("borderpost.v1.FacesService",), register, ready, report=report)


def _batching(engine: Engine) -> Engine:
    """Embed on as many threads as there are cores; where `faces.threads` is more, the others' chips go in batches."""
    return replace(engine, embedder=BatchingEmbedder(engine.embedder, len(os.sched_getaffinity(0))))


def _captures(settings: Settings, faces: Faces, engine: Engine) -> Captures:
    """Build guided captures, and say in the log which liveness methods there are and what is known of them."""
    key = load_signing_key(settings.capture_key, make=settings.mode == "development")
    tokens = CaptureTokens(key)
    card = settings.faces.liveness_card
    passive = OnnxLiveness.load(card) if card else None
    _log.info("captures", key_id=tokens.key_id, blinks=engine.eyes is not None)
    _log.info("liveness", method=f"{METHOD} {VERSION}", measured=False)
    if passive:
        own = passive.card
        method = f"{own.name} {own.version}"
        _log.info("liveness", method=method, measured=own.measured, licence=own.licence, holder=own.holder)
    return Captures(faces, tokens, SystemClock(), with_eyes=engine.eyes is not None, passive=passive)


def main() -> None:
    """Run the faces service."""
    serve("faces", build)


if __name__ == "__main__":
    main()
