"""The engine of Forewarn: feeds in, declared rules, keyed state in event time, alerts out."""
