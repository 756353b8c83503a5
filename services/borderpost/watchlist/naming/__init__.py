"""The rooms behind names.py: parts, birth dates, the definition of a match, the index, the calibration."""
