"""Checkpoints, proofs and witnesses of the log."""
