"""From an operator's spec to the part that holds its state: one file an operator."""
