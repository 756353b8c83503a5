"""Faces: detection, alignment, embedding, quality, 1:1 comparison."""
