"""Worlds that behave like the city's feeds, each with the truth of what should be noticed."""
