"""Make development certificates and keys, and give every service its own files: `certificates.py FOLDER`.

For compose.yaml on one machine only. The authority's key stays in the folder that BORDERPOST_TLS_DIR names.
"""

from __future__ import annotations

import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from borderpost.gateway.spool_keys import SpoolKeys
from borderpost.runtime.key_encryption import add_key
from borderpost.runtime.settings import SERVICES, load_settings
from borderpost.runtime.signing import load_signing_key
from borderpost.runtime.tls import ensure_development_certificates

LIFE: Final = timedelta(days=30)
"""Longer than development's own: here they are made anew only when this runs again."""


def main() -> None:
    """Make what is missing or runs out, and copy each service its files: FOLDER/SERVICE/{ca.pem,SERVICE.pem,...}."""
    settings = load_settings()
    ensure_development_certificates(settings, LIFE)
    for service in (*SERVICES, "console"):
        folder = Path(sys.argv[1]) / service
        for name in ("ca.pem", f"{service}.pem", f"{service}.key"):
            shutil.copy(settings.certificates / name, folder / name)
    for service, key in (
        ("faces", settings.capture_key),
        ("documents", settings.challenge_key),
        ("decisions", settings.log_key),
    ):
        load_signing_key(key, make=True)
        shutil.copy(key, Path(sys.argv[1]) / service / key.name)
    SpoolKeys(settings.spool_keys, make=True)
    shutil.copy(settings.spool_keys, Path(sys.argv[1]) / "gateway" / settings.spool_keys.name)
    shutil.copy(settings.certificates / "ca.key", Path(sys.argv[1]) / "authority" / "ca.key")
    keys = settings.key_encryption_file
    if not keys.exists():
        add_key(keys)
    for service in ("decisions", "watchlist"):
        shutil.copy(keys, Path(sys.argv[1]) / service / keys.name)


if __name__ == "__main__":
    main()
