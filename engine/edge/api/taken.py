"""The forms of what callers may say: names, texts, places of pages, each with its longest."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Path(min_length=1, max_length=64)]
After = Annotated[str, Query(max_length=64, description="`next` of the page before.")]
Most = Annotated[int, Query(ge=1, le=200)]
Text = Annotated[str, Query(max_length=80, description="Pieces of words that must be found.")]
Piece = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(pattern=r"^[\w.:@/-]{1,100}$")]
Words = Annotated[str, Field(max_length=2_000)]
Reason = Annotated[str, Field(min_length=1, max_length=2_000)]
LAST_MS = 4_102_444_800_000
"""2100: no instant that callers give lies beyond."""
Instant = Annotated[int, Field(ge=0, le=LAST_MS)]


class Body(BaseModel):
    """A request's body: nothing in it that is not known."""

    model_config = ConfigDict(extra="forbid")
