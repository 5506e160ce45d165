"""The application: routes, errors as problems, its own description; refused if a row is missing."""

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute

from engine.edge.api.description import describe
from engine.edge.api.guard import Guard
from engine.edge.api.limits import Limits
from engine.edge.api.problems import Code, Refusal, wrong_field
from engine.edge.api.roles import cover
from engine.edge.api.routes import ROUTERS
from engine.edge.api.services import Services

log = structlog.get_logger("api")

_KINDS = {
    "missing": "missing",
    "extra_forbidden": "unknown",
    "json_invalid": "json",
    "string_too_short": "short",
    "string_too_long": "long",
    "too_long": "long",
    "greater_than_equal": "range",
    "less_than_equal": "range",
    "enum": "choice",
    "literal_error": "choice",
}
"""What a field has wrong, in our words; all others are of the wrong type."""
_STATUSES: Mapping[int, Code] = {404: Code.NOT_FOUND, 405: Code.METHOD, 415: Code.MEDIA}


def make_app(services: Services, most_bytes: int = 1 << 20, per_address: int = 1200) -> FastAPI:
    """The whole application, ready to be served.

    Args:
        services: What its routes work with.
        most_bytes: Largest body of a request.
        per_address: Requests a minute from one address; 0: any number.

    Raises:
        Uncovered: a route has no row in the table of roles, or a row no route.

    """
    app = FastAPI(
        title="Forewarn", version="1", openapi_url=None, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    for router in ROUTERS:  # not included but taken over: the guard of roles goes by whole paths
        app.router.routes.extend(router.routes)
    app.state.services = services
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _by_status)
    app.add_middleware(
        Guard, most_bytes=most_bytes, addresses=Limits(per_address), lang=services.lang
    )
    cover(route_names(app.routes))
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app


def route_names(routes: list[BaseRoute]) -> Iterator[str]:
    """`METHOD path` of every route."""
    for route in routes:
        for method in sorted(getattr(route, "methods", None) or {"-"}):
            yield f"{method} {getattr(route, 'path', route)}"


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - registered for nothing else
    return error.answer(request.state.lang, request.state.request)


async def _invalid(request: Request, error: Exception) -> Response:
    """What is wrong with the request, field by field, in our own words."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    wrong = [_field(one) for one in error.errors()[:20]]
    broken = any(one["code"] == "json" for one in wrong)
    return await _refused(
        request, Refusal(Code.MALFORMED if broken else Code.INVALID, errors=wrong)
    )


def _field(one: Any) -> dict[str, Any]:
    place = [str(step).replace("~", "~0").replace("/", "~1") for step in one["loc"]]
    code = _KINDS.get(one["type"], "type")
    context = one.get("ctx") or {}
    words = {
        "most": context.get("max_length", context.get("le", "")),
        "least": context.get("min_length", context.get("ge", "")),
        "choices": str(context.get("expected", "")).replace("'", "").replace(" or ", ", "),
    }
    return wrong_field("/" + "/".join(place), code, **words)


async def _by_status(request: Request, error: Exception) -> Response:
    """The framework's own refusals: no such path, no such method, a body that is none."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    code = _STATUSES.get(error.status_code, Code.MALFORMED)
    allow = {k: v for k, v in (error.headers or {}).items() if k.lower() == "allow"}
    return await _refused(request, Refusal(code, headers=allow))
