"""Pictures that a row names by their path: of the file's own folder only, whatever the path or a link says."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from borderpost.exchange.fields import MAX_PICTURE_BYTES
from borderpost.exchange.problems import PICTURE_UNREADABLE, RowProblemError

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: a pipe of that name must not hold the import up.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_picture(folder: Path, field: str, path: str) -> bytes:
    """Read a picture below `folder` by a relative path with "/". Raises RowProblemError.

    Every step of the path is opened by itself and no symbolic link is followed, so that nothing outside the folder is
    read, also if the folder changes meanwhile.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise _unreadable(
            field, "a path that leaves the folder or isn't plain", "one below the file's folder"
        )
    try:
        return _read(folder, field, parts)
    except OSError as error:
        raise _unreadable(
            field,
            f"a path that can't be opened ({os.strerror(error.errno or 0)})",
            "a file below the file's folder, without symbolic links",
        ) from None


def _read(folder: Path, field: str, parts: list[str]) -> bytes:
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        picture = os.open(parts[-1], _FILE, dir_fd=at)
    finally:
        os.close(at)
    with os.fdopen(picture, "rb") as file:
        status = os.fstat(picture)
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable(field, "a path that is no file", "a picture")
        data = file.read(MAX_PICTURE_BYTES + 1)
    if not 1 <= len(data) <= MAX_PICTURE_BYTES:
        got = "an empty file" if not data else f"more than {MAX_PICTURE_BYTES:,} bytes"
        raise _unreadable(field, got, f"1 to {MAX_PICTURE_BYTES:,} bytes")
    return data


def _unreadable(field: str, got: str, want: str) -> RowProblemError:
    return RowProblemError(PICTURE_UNREADABLE, field, f"{field}: got {got}, want {want}")
