"""Guided captures: `session` decides, `app` looks and signs, `stream` talks; `liveness` and `passive` judge."""
