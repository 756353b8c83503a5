"""The watchlist service: lists and entries (the database), searched through an index that is a view of it."""
