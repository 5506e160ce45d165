"""The OpenAPI 3.1 description of the API, made from the routes and the values they answer with."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from engine.edge.api import documents
from engine.edge.api.problems import MEDIA
from engine.edge.api.roles import SIGNED, TABLE

_KEY = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}
_REF = "#/components/schemas/{name}"


def answers(model: type, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """What a route says of its answer: a value of `documents`."""
    schema = {"$ref": _REF.format(name=model.__name__)}
    return {status: {"description": "", "content": {"application/json": {"schema": schema}}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The description; made once."""
    if app.openapi_schema:
        return app.openapi_schema
    found = get_openapi(
        title=app.title, version=app.version, openapi_version="3.1.0", routes=app.routes
    )
    _definitions, schemas = msgspec.json.schema_components(documents.SHOWN, ref_template=_REF)
    components = found.setdefault("components", {})
    kept = {
        name: schema
        for name, schema in components.get("schemas", {}).items()
        if name not in ("HTTPValidationError", "ValidationError")
    }
    components["schemas"] = {**kept, **schemas}
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "Service token (fwt_...)."}
    }
    problem = {
        "description": "What went wrong (RFC 9457).",
        "content": {MEDIA: {"schema": {"$ref": _REF.format(name="Problem")}}},
    }
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            row = TABLE[f"{method.upper()} {path}"]
            operation["security"] = [] if row == SIGNED else [{"token": []}]
            operation["x-roles"] = [] if row == SIGNED else sorted(row)
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "idempotency-key":  # its absence has a code of its own
                    parameter |= {"required": True, "schema": _KEY}
            operation["responses"].pop("422", None)
            operation["responses"] |= {"4XX": problem, "503": problem}
    app.openapi_schema = found
    return found
