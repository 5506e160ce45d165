"""Declarations in their canonical layout: the same values, the same comments, one way to write."""

from engine.ruleset.fmt.layout import format_file as format_file
from engine.ruleset.fmt.tree import Unformattable as Unformattable
from engine.ruleset.fmt.tree import Why as Why
