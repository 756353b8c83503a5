"""Migrations of the log's tables, run by Alembic (`borderpost.decisions.adapters.schema`)."""
