"""The addresses of the Runs API."""

from __future__ import annotations

from starlette.routing import Route

from ponder.server.keys import guarded
from ponder.server.runs import events, listing, reviews, steering

RUNS = (
    Route("/v1/runs", guarded(listing.listed), methods=["GET"]),
    Route("/v1/runs/{run}", guarded(listing.show), methods=["GET"]),
    Route("/v1/runs/{run}", guarded(listing.cancel), methods=["DELETE"]),
    Route("/v1/runs/{run}/events", guarded(events.told), methods=["GET"]),
    Route("/v1/runs/{run}/resume", guarded(listing.again), methods=["POST"]),
    Route("/v1/runs/{run}/steer", guarded(steering.steer), methods=["POST"]),
    Route("/v1/runs/{run}/actions/{number}", guarded(steering.action), methods=["GET"]),
    Route("/v1/reviews", guarded(reviews.waiting), methods=["GET"]),
    Route("/v1/reviews/{item}", guarded(reviews.judge), methods=["POST"]),
)
