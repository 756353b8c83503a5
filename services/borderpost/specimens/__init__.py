"""Specimen travel documents of Utopia, for the demo, the tests and trials. None is a document of anybody."""

from borderpost.documents.mrz import Sex

__all__ = ["Sex"]
