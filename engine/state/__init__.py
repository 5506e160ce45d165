"""What survives a restart: versioned snapshots, watermarks, timers, the reorder buffer."""
