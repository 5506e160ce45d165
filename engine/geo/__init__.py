"""Positions on the ground: datums, distances, zones."""
