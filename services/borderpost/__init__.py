"""Borderpost: biometric traveler screening for border crossings, as gRPC microservices."""

import os

# Borderpost tells nobody outside anything. ONNX Runtime's Linux wheels (1.29 and later) report to Microsoft
# unless this is set before they are imported: they make a device id, keep a database of events in the home
# directory, and upload it (Privacy.md in the wheel).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# gRPC's C core writes lines of its own to standard error, with addresses of peers, into what should be JSON. It
# looks at this once, early: so it is set here, before anything of Borderpost uses gRPC.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# Pillow gives its memory back after every picture, and asking for it anew takes half as long as decoding a JPEG of
# 1,350 pixels. So it keeps up to four blocks of 16 MiB. It looks at this once, when it is imported.
os.environ.setdefault("PILLOW_BLOCKS_MAX", "4")
