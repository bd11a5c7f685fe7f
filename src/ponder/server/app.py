"""The application: its addresses, and what their handlers share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ponder.core.errors import PonderError
from ponder.models.opening import Opened
from ponder.runtime.engine import Engine
from ponder.server import decisions
from ponder.server.asking.served import Served
from ponder.server.chat import handlers as chat
from ponder.server.document import openapi
from ponder.server.edge import Edge
from ponder.server.errors import ApiError, of_api, of_http
from ponder.server.keys import guarded
from ponder.server.messages import handlers as messages
from ponder.server.messages.errors import in_its_form
from ponder.server.messages.models import by_version, listed, one
from ponder.server.messages.signatures import Signatures
from ponder.server.responses import handlers as responses
from ponder.server.responses.office import Office
from ponder.server.runs.once import once
from ponder.server.runs.routes import RUNS
from ponder.server.settings import Settings
from ponder.server.telling.conducted import House
from ponder.server.watch import Watch

if TYPE_CHECKING:
    from ponder.server.operation.traces import Traces


def application(
    engine: Engine,
    models: Sequence[str],
    settings: Settings | None = None,
    *,
    given: Mapping[str, Opened] | None = None,
    traces: Traces | None = None,
) -> Starlette:
    """Return the application on an open engine.

    ``models`` are served besides those of ``ponder.toml``; ``given`` are models that are open
    already, by name.

    Raises:
        UsageError: the record of what keys have spent cannot be used.
    """
    settings = settings or Settings()
    house = House.of(engine, Served(engine, models, given), settings, traces)
    app = Starlette(
        routes=[
            Route("/healthz", _alive, methods=["GET"]),
            Route("/readyz", _ready, methods=["GET"]),
            Route("/metrics", guarded(_metrics), methods=["GET"]),
            Route("/v1/models", guarded(by_version(_models, listed)), methods=["GET"]),
            Route("/v1/models/{name:path}", guarded(by_version(_model, one)), methods=["GET"]),
            Route("/v1/chat/completions", guarded(once(chat.complete)), methods=["POST"]),
            Route("/v1/messages", guarded(once(messages.create)), methods=["POST"]),
            Route("/v1/messages/count_tokens", guarded(messages.count), methods=["POST"]),
            *RUNS,
            *responses.ROUTES,
            Route("/v1/decisions", guarded(decisions.answer), methods=["POST"]),
            Route("/openapi.json", openapi.answer, methods=["GET"]),
        ],
        exception_handlers=in_its_form(
            {
                ApiError: of_api,
                PonderError: of_api,
                HTTPException: of_http,
                ClientDisconnect: _nobody,
                Exception: of_api,
            }
        ),
        middleware=[
            Middleware(Watch, operation=house.operation),
            Middleware(Edge, settings=settings),
        ],
    )
    app.state.house = house
    app.state.signatures = Signatures()
    app.state.responses = Office(house, app.state.signatures)
    app.state.since = int(time.time())
    return app


async def _alive(request: Request) -> Response:
    """Answer that the server runs."""
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    """Answer that requests are welcome, or that they are not."""
    house: House = request.app.state.house
    if house.operation.ready:
        return JSONResponse({"status": "ready"})
    return JSONResponse({"status": "ending"}, 503)


async def _metrics(request: Request) -> Response:
    """Return the figures for Prometheus."""
    house: House = request.app.state.house
    return house.operation.metrics.response()


async def _nobody(request: Request, error: Exception) -> Response:
    """Answer for the log: the client is gone."""
    return Response(status_code=499)


async def _models(request: Request) -> Response:
    """List the models, each also with every effort."""
    house: House = request.app.state.house
    listed = [_described(request, name) for name in house.served.listed]
    return JSONResponse({"object": "list", "data": listed})


async def _model(request: Request) -> Response:
    """Describe one model."""
    house: House = request.app.state.house
    name: str = request.path_params["name"]
    house.served.split(name)
    return JSONResponse(_described(request, name))


def _described(request: Request, name: str) -> dict[str, object]:
    since: int = request.app.state.since
    return {"id": name, "object": "model", "created": since, "owned_by": "ponder"}
