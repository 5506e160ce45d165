"""Keyed operators, one idea a file: what each keeps per key, when it fires, when it forgets."""
