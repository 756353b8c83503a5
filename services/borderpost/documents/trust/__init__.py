"""What the service trusts to sign chips: CSCA certificates and revocation lists, kept and versioned."""
