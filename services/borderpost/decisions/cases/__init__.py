"""Referrals: a view of the log, and what officers do with it."""
