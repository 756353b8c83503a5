"""Certificates, revocation lists and signed data of travel documents (ICAO 9303-12, RFC 5280, RFC 5652)."""
