"""Options and values that several commands take."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from borderpost.runtime.clock import to_timestamp
from borderpost.v1 import types_pb2

Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document and nothing else; an error is one on standard error."
    ),
]
Purpose = Annotated[
    str,
    typer.Option(
        "--purpose",
        help="Why you look. It is recorded with your name.",
    ),
]
Picture = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, readable=True, help="A picture: JPEG, PNG or JPEG 2000.")
]

OWNER_ONLY: Final = 0o600
"""Of a file with personal data that a command writes."""

_DATE: Final = re.compile(r"(\d{4}|X{4})-(\d{2}|XX)-(\d{2}|XX)")


def partial_date(text: str) -> types_pb2.PartialDate:
    """Read "1980-07-12", unknown parts as X: "1980-XX-XX"."""
    parts = _DATE.fullmatch(text.upper())
    if parts is None:
        raise typer.BadParameter(
            f"got {text!r}, want YYYY-MM-DD, unknown parts as X: 1980-07-XX", param_hint="--born"
        )
    year, month, day = (None if "X" in part else int(part) for part in parts.groups())
    return types_pb2.PartialDate(year=year, month=month, day=day)


def document_key(text: str) -> types_pb2.DocumentKey:
    """Read "P:UTO:L898902C3": document code, issuing state, number."""
    parts = text.upper().split(":")
    if len(parts) != 3 or not all(parts):
        raise typer.BadParameter(
            f"got {len(parts)} parts, want CODE:STATE:NUMBER, such as P:UTO:L898902C3",
            param_hint="--document",
        )
    return types_pb2.DocumentKey(document_code=parts[0], issuing_state=parts[1], number=parts[2])


def end_of(day: datetime) -> Timestamp:
    """Return the last second of a day (UTC)."""
    return to_timestamp(day.replace(hour=23, minute=59, second=59, tzinfo=UTC))


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read, whoever could read one of this name before. Raises OSError."""
    path.touch(OWNER_ONLY)
    path.chmod(OWNER_ONLY)
    path.write_bytes(content)
