"""Borderpost: biometric traveler screening for border crossings, as gRPC microservices."""

import os

# Borderpost tells nobody outside anything. ONNX Runtime's Linux wheels (1.29 and later) report to Microsoft
# unless this is set before they are imported: they make a device id, keep a database of events in the home
# directory, and upload it (Privacy.md in the wheel).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
