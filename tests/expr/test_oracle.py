"""The compiled function answers what a plain interpreter of the same expression answers.

The interpreter below knows nothing of the engine: it walks random typed expressions over random
events with missing values, by the rules of three-valued logic as `rules.md` states them.
"""

import operator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import Location
from engine.ruleset.expr import (
    Scope,
    Type,
    Typed,
    check,
    compile_admission,
    compile_condition,
    compile_value,
    parse,
)

AT = Location("rule.yaml")
SCOPE = Scope(
    {
        "n": Type("number"),
        "m": Type("number", nullable=True),
        "k": Type("number", nullable=True),
        "speed": Type("number", nullable=True, unit="km/h"),
        "limit": Type("number", unit="m/s"),
        "kind": Type("text"),
        "note": Type("text", nullable=True),
        "ok": Type("bool"),
        "open": Type("bool", nullable=True),
        "seen": Type("time", nullable=True),
        "sent": Type("time"),
    },
    event={"n", "m", "k", "speed", "limit", "kind", "note", "ok", "open", "seen", "sent"},
)
TO_MPS = {"km/h": Fraction(5, 18), "m/s": Fraction(1), "knots": Fraction(1852, 3600)}
COMPARE = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
ARITH = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
         "%": operator.mod}  # fmt: skip
HOUR = 3_600_000

# An expression is a tuple: its form, then its parts; `write` prints it, `work` answers it.
Tree = tuple[Any, ...]
quarters = st.integers(-8, 8).map(lambda number: number / 4)
whole = st.integers(0, 6)
words = st.sampled_from(["a", "b", "ab", ""])

EVENTS = st.builds(
    SimpleNamespace,
    n=st.one_of(whole, quarters),
    m=st.one_of(st.none(), whole, quarters),
    k=st.one_of(st.none(), whole),
    speed=st.one_of(st.none(), st.sampled_from([0, 18, 36, 25.25, 72])),
    limit=st.sampled_from([0, 5, 10, 20.5]),
    kind=words,
    note=st.one_of(st.none(), words),
    ok=st.booleans(),
    open=st.one_of(st.none(), st.booleans()),
    seen=st.one_of(st.none(), whole.map(lambda number: number * HOUR)),
    sent=whole.map(lambda number: number * HOUR),
)


def name(*names: str) -> st.SearchStrategy[Tree]:
    return st.sampled_from(names).map(lambda text: ("name", text))


def some(kind: st.SearchStrategy[Tree], most: int = 3) -> st.SearchStrategy[tuple[Tree, ...]]:
    return st.lists(kind, min_size=1, max_size=most).map(tuple)


bools: st.SearchStrategy[Tree] = st.deferred(lambda: BOOLS)
numbers: st.SearchStrategy[Tree] = st.deferred(lambda: NUMBERS)
texts: st.SearchStrategy[Tree] = st.deferred(lambda: TEXTS)
times: st.SearchStrategy[Tree] = st.deferred(lambda: TIMES)
speeds = st.one_of(
    name("speed", "limit"),
    st.tuples(st.just("speed"), st.integers(0, 20), st.sampled_from(sorted(TO_MPS))),
)
signs = st.sampled_from(sorted(COMPARE))
equal = st.sampled_from(["==", "!="])
anything = st.one_of(bools, numbers, texts, times)
NUMBERS: st.SearchStrategy[Tree] = st.one_of(
    name("n", "m", "k"),
    name("n", "m", "k"),
    st.tuples(st.just("number"), whole),
    st.tuples(st.just("arith"), st.sampled_from(sorted(ARITH)), numbers, numbers),
    st.tuples(st.just("neg"), numbers),
    st.tuples(st.just("choice"), bools, numbers, numbers),
    st.tuples(st.just("coalesce"), some(numbers)),
    st.tuples(st.sampled_from(["min", "max"]), some(numbers)),
    st.tuples(st.just("abs"), some(numbers, 1)),
    st.tuples(st.just("len"), some(texts, 1)),
)
TEXTS: st.SearchStrategy[Tree] = st.one_of(
    name("kind", "note"),
    name("kind", "note"),
    st.tuples(st.just("text"), words),
    st.tuples(st.just("lower"), some(texts, 1)),
    st.tuples(st.just("coalesce"), some(texts)),
)
TIMES: st.SearchStrategy[Tree] = st.one_of(
    name("seen", "sent"), st.tuples(st.just("later"), name("seen", "sent"), st.integers(0, 4))
)
BOOLS: st.SearchStrategy[Tree] = st.one_of(
    name("ok", "open"),
    st.tuples(
        st.just("compare"), numbers, st.lists(st.tuples(signs, numbers), min_size=1, max_size=3)
    ),
    st.tuples(
        st.just("compare"), speeds, st.lists(st.tuples(signs, speeds), min_size=1, max_size=2)
    ),
    st.tuples(st.just("compare"), times, st.lists(st.tuples(signs, times), min_size=1, max_size=2)),
    st.tuples(st.just("compare"), texts, st.lists(st.tuples(equal, texts), min_size=1, max_size=2)),
    st.tuples(st.just("compare"), bools, st.lists(st.tuples(equal, bools), min_size=1, max_size=2)),
    st.tuples(st.sampled_from(["and", "or"]), st.lists(bools, min_size=2, max_size=3)),
    st.tuples(st.sampled_from(["and", "or"]), st.lists(bools, min_size=2, max_size=3)),
    st.tuples(st.just("not"), bools),
    st.tuples(st.sampled_from(["present", "absent", "exists", "missing"]), anything),
    st.tuples(st.sampled_from(["in", "not in"]), numbers, some(numbers)),
    st.tuples(st.sampled_from(["in", "not in"]), texts, some(st.tuples(st.just("text"), words))),
    st.tuples(st.sampled_from(["starts_with", "contains"]), st.tuples(texts, texts)),
    st.tuples(st.just("within"), texts, texts),
    st.tuples(st.just("choice"), bools, bools, bools),
    st.tuples(st.just("coalesce"), some(bools)),
)


@st.composite
def logical(draw: st.DrawFn, depth: int = 2) -> Tree:
    """A condition with mostly logic near its root, so that each way of asking is walked often."""
    word = draw(st.sampled_from(["and", "or", "not", "choice", "leaf"])) if depth else "leaf"
    if word == "leaf":
        tree = draw(st.one_of(name("ok", "open"), bools))
    else:
        parts = [draw(logical(depth - 1)) for _ in range({"not": 1, "choice": 3}.get(word, 2))]
        tree = (word, parts) if word in {"and", "or"} else (word, *parts)
    return ("not", tree) if draw(st.booleans()) else tree


conditions = logical()


def write(tree: Tree) -> str:
    """The expression as an author would write it, with brackets everywhere."""
    match tree:
        case ("name" | "number", value):
            return str(value)
        case ("text", value):
            return f'"{value}"'
        case ("speed", value, unit):
            return f"{value} {unit}"
        case ("later", time, hours):
            return f"({write(time)} + {hours}h)"
        case ("arith", op, left, right):
            return f"({write(left)} {op} {write(right)})"
        case ("neg", part):
            return f"(-({write(part)}))"
        case ("not", part):
            return f"(not {write(part)})"
        case ("present", part):
            return f"({write(part)} != null)"
        case ("absent", part):
            return f"({write(part)} == null)"
        case ("exists" | "missing" as function, part):
            return f"{function}({write(part)})"
        case ("and" | "or" as word, parts):
            return "(" + f" {word} ".join(write(part) for part in parts) + ")"
        case ("compare", first, rest):
            return "(" + write(first) + "".join(f" {op} {write(part)}" for op, part in rest) + ")"
        case ("in" | "not in" as word, part, items):
            return f"({write(part)} {word} [{', '.join(write(item) for item in items)}])"
        case ("within", part, text):
            return f"({write(part)} in {write(text)})"
        case ("choice", condition, then, other):
            return f"({write(then)} if {write(condition)} else {write(other)})"
        case (function, parts):
            return f"{function}({', '.join(write(part) for part in parts)})"
    raise AssertionError(tree)


def all_of(values: list[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def negation(value: bool | None) -> bool | None:
    return None if value is None else not value


def work(tree: Tree, event: SimpleNamespace) -> Any:
    """The answer by the book: every part worked out first, nothing clever."""
    match tree:
        case ("name", "speed" | "limit" as field):
            value = getattr(event, field)
            unit = {"speed": "km/h", "limit": "m/s"}[field]
            return None if value is None else Fraction(value) * TO_MPS[unit]
        case ("name", field):
            return getattr(event, field)
        case ("number" | "text", value):
            return value
        case ("speed", value, unit):
            return value * TO_MPS[unit]
        case ("later", time, hours):
            start = work(time, event)
            return None if start is None else start + hours * HOUR
        case ("not", part):
            return negation(work(part, event))
        case ("present" | "exists", part):
            return work(part, event) is not None
        case ("absent" | "missing", part):
            return work(part, event) is None
        case ("and", parts):
            return all_of([work(part, event) for part in parts])
        case ("or", parts):
            return negation(all_of([negation(work(part, event)) for part in parts]))
        case ("compare", first, rest):
            values = [work(part, event) for part in (first, *(part for _, part in rest))]
            pairs = zip(values, values[1:], [op for op, _ in rest], strict=False)
            return all_of([None if None in (a, b) else COMPARE[op](a, b) for a, b, op in pairs])
        case ("in" | "not in" as word, part, items):
            value = work(part, event)
            others = [work(item, event) for item in items]
            found = negation(
                all_of([None if None in (value, other) else value != other for other in others])
            )
            return found if word == "in" else negation(found)
        case ("choice", condition, then, other):
            both = {True: work(then, event), False: work(other, event)}
            return both[work(condition, event) is True]
        case ("coalesce", parts):
            values = [work(part, event) for part in parts]
            return next((value for value in values if value is not None), None)
    values = [work(part, event) for part in operands(tree)]
    return None if None in values else plain(tree, values)


def operands(tree: Tree) -> tuple[Tree, ...]:
    if tree[0] == "arith":
        return (tree[2], tree[3])
    return tree[1] if isinstance(tree[1][0], tuple) else tree[1:]


def plain(tree: Tree, values: list[Any]) -> Any:
    """A function or sign on values that are all there."""
    match tree[0]:
        case "arith":
            return ARITH[tree[1]](*values)
        case "neg":
            return -values[0]
        case "min" | "max" as function:
            return sorted(values)[0 if function == "min" else -1]
        case "abs":
            return values[0] if values[0] >= 0 else -values[0]
        case "len":
            return len(values[0])
        case "lower":
            return values[0].lower()
        case "starts_with":
            return values[0][: len(values[1])] == values[1]
        case "contains":
            return values[1] in values[0]
        case "within":
            return values[0] in values[1]
    raise AssertionError(tree)


def typed(tree: Tree) -> Typed | None:
    """The checked expression, or None where a limit or a constant zero is refused, rightly."""
    parsed = parse(write(tree), AT)
    result = parsed if isinstance(parsed, list) else check(parsed, SCOPE)
    if isinstance(result, Typed):
        return result
    refused = {problem.code for problem in result}
    assert refused <= {"R303", "R304", "R302", "R336"}, "\n".join(p.report() for p in result)
    return None


def outcome(ask: Any, *args: Any) -> Any:
    try:
        return ask(*args)
    except ZeroDivisionError:
        return ZeroDivisionError


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(conditions, st.lists(EVENTS, min_size=1, max_size=4))
def test_conditions_agree_with_the_interpreter(tree: Tree, events: list[SimpleNamespace]) -> None:
    expression = typed(tree)
    if expression is None:
        return
    value, condition = compile_value(expression), compile_condition(expression)
    admit = compile_admission([None, expression, expression, None])
    alone = compile_admission([expression])
    for event in events:
        expected = outcome(work, tree, event)
        if expected is ZeroDivisionError:
            continue  # the compiled form may not come to the division
        assert value(event, {}) is expected
        assert condition(event, {}) is (expected is True)
        assert admit(event) == ((0, 1, 2, 3) if expected is True else (0, 3))
        assert alone(event) == ((0,) if expected is True else ())


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(numbers, texts, times), EVENTS)
def test_values_agree_with_the_interpreter(tree: Tree, event: SimpleNamespace) -> None:
    expression = typed(tree)
    if expression is None:
        return
    expected = outcome(work, tree, event)
    if expected is not ZeroDivisionError:
        assert compile_value(expression)(event, {}) == expected


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(bools, min_size=1, max_size=10), EVENTS)
def test_many_rules_agree_with_the_interpreter(trees: list[Tree], event: SimpleNamespace) -> None:
    kinds = ("kind", "note")
    indexed = [
        (
            "and",
            [
                ("compare", ("name", kinds[i % 2]), [("==", ("text", "ab"[i % 3 : i % 3 + 1]))]),
                tree,
            ],
        )
        for i, tree in enumerate(trees)
    ]
    pairs = [(tree, made) for tree in indexed if (made := typed(tree)) is not None]
    expected = [outcome(work, tree, event) for tree, _ in pairs]
    if ZeroDivisionError in expected:
        return
    wanted = tuple(index for index, answer in enumerate(expected) if answer is True)
    assert compile_admission([made for _, made in pairs])(event) == wanted
