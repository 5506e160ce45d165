"""The desk at work: one SQL store for cases, what fills it, what drives it, what reads it."""
