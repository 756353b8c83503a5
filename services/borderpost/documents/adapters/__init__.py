"""Adapters of the documents service: one file each."""
