"""The kiosk's side: clients of the gateway, for programs with threads and with an event loop, and the spool.

docs/kiosk.md begins at the beginning.
"""

from borderpost.kiosk.aio import AsyncKiosk
from borderpost.kiosk.answers import Next, Told
from borderpost.kiosk.client import Kiosk
from borderpost.kiosk.messages import texts
from borderpost.kiosk.spool import Spool
from borderpost.kiosk.visits import Captured, Guided, Visit

__all__ = ["AsyncKiosk", "Captured", "Guided", "Kiosk", "Next", "Spool", "Told", "Visit", "texts"]
