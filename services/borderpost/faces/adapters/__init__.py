"""What the faces service stands on, one file per adapter."""
