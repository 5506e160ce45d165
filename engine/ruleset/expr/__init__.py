"""The small language of conditions: text, to a typed tree, to a Python function."""

from engine.ruleset.expr.admission import Admission, compile_admission
from engine.ruleset.expr.check import check
from engine.ruleset.expr.compile import Value, compile_condition, compile_value
from engine.ruleset.expr.functions import FUNCTIONS, Function
from engine.ruleset.expr.parse import parse
from engine.ruleset.expr.runtime import Tools
from engine.ruleset.expr.syntax import Expr
from engine.ruleset.expr.trace import Steps, compile_trace, trace
from engine.ruleset.expr.tree import Typed
from engine.ruleset.expr.types import ALERT_EXTRAS, EXTRAS, Scope, Type, field_type, scope_for

__all__ = [
    "ALERT_EXTRAS",
    "EXTRAS",
    "FUNCTIONS",
    "Admission",
    "Expr",
    "Function",
    "Scope",
    "Steps",
    "Tools",
    "Type",
    "Typed",
    "Value",
    "check",
    "compile_admission",
    "compile_condition",
    "compile_trace",
    "compile_value",
    "field_type",
    "parse",
    "scope_for",
    "trace",
]
