"""Commands that measure and write a report: how they end."""

from __future__ import annotations

import sys
from collections.abc import Callable

from borderpost.runtime.errors import BorderpostError


def exit_status(run: Callable[[], None]) -> int:
    """Run a command; 0, or 1 with a plain sentence on standard error if it or a file says that it can't be done."""
    try:
        run()
    except BorderpostError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename or 'a file'}: {error.strerror or error}\n")
        return 1
    return 0
