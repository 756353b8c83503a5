"""What is wrong with a file of a chip. It never leaves this room: it becomes a check with its reason."""

from __future__ import annotations


class ChipFileError(ValueError):
    """An elementary file that can't be read. The message says where and what, and holds nothing of the file."""
