"""What all tests share."""

from __future__ import annotations

import sys
from pathlib import Path

# Test modules are imported by path (--import-mode=importlib); this lets them say `from fakes.x import ...`.
sys.path.insert(0, str(Path(__file__).parent))
