"""What the watchlist service stands on: SQLite and FAISS."""
