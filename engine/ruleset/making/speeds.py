"""The first question about a fix, written as code: is it too fast to count."""

import ast

from engine.operators.specs.dwell import DwellSpec
from engine.operators.specs.near import NearSpec


def away_when_fast(when: DwellSpec | NearSpec) -> list[ast.stmt]:
    """The head of a function of `e` that answers None for a fix at or above `slower_than`.

    A fix without a speed is not too fast. No statements where there is no such limit.
    """
    if when.slower_than_mps is None:
        return []
    speed = ast.Name("speed", ast.Load())
    read = ast.Attribute(ast.Name("e", ast.Load()), when.speed_field, ast.Load())
    limit = ast.Constant(when.slower_than_mps / when.speed_scale)
    known = ast.Compare(speed, [ast.IsNot()], [ast.Constant(None)])
    fast = ast.Compare(speed, [ast.GtE()], [limit])
    return [
        ast.Assign([ast.Name("speed", ast.Store())], read),
        ast.If(ast.BoolOp(ast.And(), [known, fast]), [ast.Return(ast.Constant(None))], []),
    ]
