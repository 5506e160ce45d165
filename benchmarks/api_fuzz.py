"""Calls every operation of an API with requests made from its own description, good and bad ones.

Each answer is held against the description, and every request is made once more with no token and
with one that nobody has: both must be refused.
"""

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok

HELD = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
"""What every answer is held against."""
NOBODY = "Bearer fwt_0123456789ab_" + "x" * 43
_FEW = frozenset({"openapi.json", "me", "rules", "feeds", "tokens", "events"})
"""Routes that take nothing, or next to nothing: trying them often tells nothing more."""
_LEAST = 12


@dataclass
class Found:
    """What came of it.

    Attributes:
        calls: Operation to how often each status was answered.
        faults: What did not hold, with the request.
        bypassed: Requests without a good token that were not refused.

    """

    calls: dict[str, Counter[int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    bypassed: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many requests were made."""
        return sum(counts.total() for counts in self.calls.values())


def fuzz(
    url: str,
    document: Mapping[str, Any],
    tokens: Mapping[str, str],
    known: Mapping[str, Sequence[str]],
    examples: int,
    seed_: int,
    seconds: float = float("inf"),
) -> Found:
    """Try every operation.

    Args:
        url: Where the API answers.
        document: Its description.
        tokens: A token of each role.
        known: Path parameter to values that exist.
        examples: How many requests of each kind, good and bad, an operation gets.
        seed_: Makes the same requests again.
        seconds: How long all of it may take on a machine that is slow or busy: an operation that
            has had its share of it gets no more requests than `_LEAST` of each kind.

    """
    schemathesis.checks.load_all_checks()
    checks: Any = CHECKS.get_by_names(HELD)
    schema = schemathesis.openapi.from_dict(dict(document))
    found, chance = Found(), random.Random(seed_)
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    share_s = seconds / len(operations) / len(GenerationMode)
    with requests.Session() as session:
        for operation in operations:
            name = f"{operation.method.upper()} {operation.path}"
            counts = found.calls.setdefault(name, Counter())
            roles = operation.definition.raw["x-roles"]
            few = operation.path.rsplit("/", 1)[-1] in _FEW

            def one(
                case: schemathesis.Case,
                name: str = name,
                roles: Sequence[str] = roles,
                counts: Counter[int] = counts,
            ) -> None:
                for place, values in known.items():
                    if place in (case.path_parameters or {}) and chance.random() < 0.7:
                        case.path_parameters[place] = chance.choice(values)
                role = chance.choice(roles) if roles else ""
                sent = {"Authorization": f"Bearer {tokens[role]}"} if role else {}
                answer = case.call(base_url=url, session=session, headers=sent, timeout=30)
                counts[answer.status_code] += 1
                try:
                    case.validate_response(answer, checks=checks)
                except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - every kind of failure is a finding
                    found.faults.append(f"{name}: {str(error)[:1500]}")
                for header in ("", NOBODY) if roles else ():
                    again = case.call(
                        base_url=url, session=session, headers={"Authorization": header}, timeout=30
                    )
                    counts[again.status_code] += 1
                    if again.status_code not in (400, 401, 404, 405, 429):
                        found.bypassed.append(f"{name}: {again.status_code}")

            for mode in GenerationMode:
                strategy = operation.as_strategy(generation_mode=mode)
                left = max(2, examples // 10) if few else examples
                until, part = time.monotonic() + share_s, 0
                while left > 0 and (part == 0 or time.monotonic() < until):
                    _run(one, strategy, min(left, _LEAST), seed_ + part)
                    left, part = left - _LEAST, part + 1
    return found


def _run(one: Any, strategy: Any, examples: int, seed_: int) -> None:
    quiet = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    tried = given(strategy)(lambda case: one(case))  # noqa: PLW0108 - it has defaults of its own
    quiet(seed(seed_)(tried))()
