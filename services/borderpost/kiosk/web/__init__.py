"""The agent on a kiosk: it holds the certificate and the spool, and serves the page that travelers see.

docs/kiosk-page.md begins at the beginning.
"""
