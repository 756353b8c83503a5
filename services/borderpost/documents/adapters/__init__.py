"""Adapters of the documents service: one file each."""

import os

# ONNX Runtime's Linux wheels (1.29 and later) report to Microsoft unless this is set before the import: they
# make a device id, keep a database of events in the home directory and upload it (its Privacy.md).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
