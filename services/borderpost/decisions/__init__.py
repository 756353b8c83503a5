"""The decision log: an append-only log of events, hashed as a Merkle tree, with personal data apart and erasable."""
