"""Why something fired, and why not: the way of a key through a rule, stage by stage."""
