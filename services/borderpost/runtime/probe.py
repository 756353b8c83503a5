"""`python -m borderpost.runtime.probe SERVICE`: ask the service in this container for its health.

Exit status 0 if it serves, 1 if it doesn't or can't be asked. It asks at the port where the service listens,
not at the address that others use, which may lead elsewhere; and with the service's own certificate.
"""

from __future__ import annotations

import sys
from typing import Final

from borderpost.runtime import health
from borderpost.runtime.channels import open_sync_channel
from borderpost.runtime.errors import BorderpostError
from borderpost.runtime.settings import SERVICES, ServiceName, Settings, load_settings

SECONDS: Final = 3.0
"""A service that takes longer to say that it is well isn't."""


def serves(settings: Settings, service: ServiceName) -> bool:
    """Tell whether the service of this machine serves. Raises CertificateError."""
    own = settings.service(service)
    address = (own.listen or own.address).replace("0.0.0.0:", "127.0.0.1:")
    here = settings.model_copy(update={service: own.model_copy(update={"address": address})})
    with open_sync_channel(here, service, service) as channel:
        return health.serves(channel, SECONDS)


def main() -> None:
    """Probe the service that the command line names."""
    service = next((name for name in SERVICES if sys.argv[1:] == [name]), None)
    if service is None:
        sys.exit(f"got {sys.argv[1:]}, want one of: {', '.join(SERVICES)}")
    try:
        well = serves(load_settings(), service)
    except BorderpostError as error:
        sys.exit(f"borderpost {service} can't be asked: {error.message}")
    if not well:
        sys.exit(f"borderpost {service} doesn't serve")


if __name__ == "__main__":
    main()
