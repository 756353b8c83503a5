"""Borderpost: biometric traveler screening for border crossings, as gRPC microservices."""

import os

# gRPC's C core writes lines of its own to standard error, with addresses of peers, into what should be JSON. It
# looks at this once, early: so it is set here, before anything of Borderpost uses gRPC.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
