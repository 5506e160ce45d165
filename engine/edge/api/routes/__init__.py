"""The routes of the API, one file for each thing that people ask about."""

from fastapi import APIRouter

from engine.edge.api.routes import (
    alerts,
    audit,
    events,
    incidents,
    own,
    receipts,
    rules,
    silences,
    tokens,
)

ROUTERS: tuple[APIRouter, ...] = tuple(
    part.router
    for part in (own, alerts, incidents, events, rules, silences, audit, tokens, receipts)
)
