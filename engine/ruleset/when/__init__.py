"""The operators as people declare them: one file an operator, its keys and how they are checked.

`model.py` lists them all; `load.py` turns what was declared into the operator's spec.
"""
