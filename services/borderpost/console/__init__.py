"""The web pages of officers, auditors, list managers and administrators: a client of the gateway only.

docs/console.md begins at the beginning.
"""
