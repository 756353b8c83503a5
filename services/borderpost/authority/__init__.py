"""Certificates of machines: invitations, renewal, revocation."""
