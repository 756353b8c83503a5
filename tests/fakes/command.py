"""The `borderpost` command in processes of its own, as many as a test likes.

Python takes most of a second to load the command. Here one process loads it and each run is a fork of that
one, with its own arguments, environment and output; nothing else differs from the installed command.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60.0

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["borderpost.cli.main"])


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on standard output. A second one, or anything beside it, is an error."""
        assert self.status == 0, self
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The one JSON document on standard error of a command that failed with --json."""
        assert self.status == 1, self
        assert self.out == ""
        return json.loads(self.err)["error"]


def run(environment: Mapping[str, str], *arguments: str) -> Done:
    """Run `borderpost ARGUMENTS` and wait for its end."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = _FORKS.Process(target=_command, args=(dict(environment), arguments, out, err))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(arguments)
        done = Done(process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))
        process.close()
    assert "Traceback" not in done.err, done.err
    return done


def _command(environment: dict[str, str], arguments: tuple[str, ...], out: Path, err: Path) -> None:
    from borderpost.cli.main import main  # noqa: PLC0415 - it is loaded already, that's the point

    os.environ.clear()
    os.environ.update(environment)
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream.fileno())
    sys.argv = ["borderpost", *arguments]
    main()
