"""Values that pass between the stages: alerts, units, working time. Nothing here does I/O."""
