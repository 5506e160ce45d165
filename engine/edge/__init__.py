"""Everything that touches the world: command line, settings, stores, daemons, metrics."""
