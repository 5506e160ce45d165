"""Saved state as a thing of its own: exported, imported, looked at, compared, planned for."""
