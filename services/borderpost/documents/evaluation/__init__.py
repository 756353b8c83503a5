"""How well documents are read: published degradations, peers on the same pictures, and real chips' signed objects.

`python -m borderpost.documents.evaluation --help`.
"""
