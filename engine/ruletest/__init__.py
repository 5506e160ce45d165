"""Runs the tests that stand beside rules, through the same engine that runs them for real."""
