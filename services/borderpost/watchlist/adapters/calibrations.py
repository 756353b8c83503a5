"""The calibrations that ship: lists may hold templates of their models."""

from __future__ import annotations

from importlib import resources

from borderpost.runtime.calibration import Calibration, load_calibration


def load_calibrations() -> dict[str, Calibration]:
    """All of them, by model id. Raises CalibrationError for a bad one."""
    files = (resources.files("borderpost.runtime") / "calibrations").iterdir()
    models = sorted(file.name.removesuffix(".json") for file in files if file.name.endswith(".json"))
    return {model_id: load_calibration(model_id) for model_id in models}
