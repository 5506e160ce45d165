"""How far each operator is towards firing for a key: asked for by people, never in passing."""
