"""The condition language: parse by a whitelist, type against the feed, compile to functions."""
