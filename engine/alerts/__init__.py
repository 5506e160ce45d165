"""An alert's life: pending, firing, cleared; its identity, its evidence, its words."""
