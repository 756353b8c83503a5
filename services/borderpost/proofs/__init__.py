"""Proofs about the decision log that need no service: tree, checkpoints, exports and their verification."""
