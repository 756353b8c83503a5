"""Adapters of the authority."""
