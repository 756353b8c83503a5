"""How wide the terminal is that a command in the test's own process writes to."""

from __future__ import annotations

import pytest

from borderpost.cli import show


def set_columns(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Make the terminal so wide. The console may have read COLUMNS before, when it was made."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(show.console, "_width", columns)
