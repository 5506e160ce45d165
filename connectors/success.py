"""What counts as taken where a peer says so in the body, whatever its HTTP status says."""

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from engine.errors import Permanent, Retryable

_MALFORMED, _REFUSED, _AGAIN = "malformed-answer", "refused", "busy"


class Success(BaseModel):
    """The test of an answer: a field of its JSON must have one of the given values.

    Attributes:
        field: Its name; dots lead into objects and lists: `data.0.status`.
        equals: Texts that mean it was taken; numbers and booleans are compared as JSON writes them.
        later: Texts that mean it may be taken later; any other value refuses it for good.
        message: Where the peer's words stand, for people.

    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(min_length=1)
    equals: list[str | int | bool] = Field(min_length=1)
    later: list[str | int | bool] = Field(default_factory=list)
    message: str = ""

    def judge(self, body: bytes, hidden: Callable[[str], str]) -> None:
        """Return if the answer says it was taken; `hidden` cuts secrets out of what is quoted.

        Raises:
            Retryable: it says later, or cannot be read: nobody knows whether it was taken.
            Permanent: it says anything else.

        """
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise Retryable(_MALFORMED, hidden(body[:200].decode("utf-8", "replace"))) from error
        said = _at(answer, self.field)
        if said is None:
            raise Retryable(_MALFORMED, f"no {self.field}")
        if _plain(said) in map(_plain, self.equals):
            return
        words = _at(answer, self.message) if self.message else None
        told = words if isinstance(words, str) else ""
        detail = hidden(f"{self.field}: {_plain(said)} {told}".strip())
        if _plain(said) in map(_plain, self.later):
            raise Retryable(_AGAIN, detail)
        raise Permanent(_REFUSED, detail)


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
