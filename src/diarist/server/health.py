"""Whether a server is ready, and what it has done: for those who watch it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from diarist.server.house import house_of

router = APIRouter(tags=["state"])


@router.get("/health", summary="Whether requests can be answered, and what waits")
async def health(request: Request) -> Response:
    """200 once models are loaded and warm, else 503 with how far they are."""
    house = house_of(request)
    if not house.loading.ready:
        body = {"status": "loading", "stage": house.loading.stage, "done": round(house.loading.done, 3)}
        return JSONResponse(body, status_code=503, headers={"retry-after": "2"})
    load = await house.desk.look(house.desk.store.load)
    disk = {"disk_bytes": await house.desk.look(house.disk.taken)}
    if house.disk.most_bytes is not None:
        disk |= {"disk_bytes_allowed": house.disk.most_bytes, "let_go_early": house.disk.let_go}
    return JSONResponse(
        {
            "status": "ok",
            "queued": sum(each.queued for each in load.values()),
            "running": sum(each.running for each in load.values()),
            "audio_seconds_queued": round(sum(each.seconds_queued for each in load.values()), 1),
            **disk,
        }
    )


@router.get("/ping", summary="The same in one status, for load balancers")
async def ping(request: Request) -> Response:
    """200 once models are warm, 204 before."""
    return Response(status_code=200 if house_of(request).loading.ready else 204)


@router.get("/metrics", summary="Counts, for Prometheus")
async def metrics(request: Request) -> Response:
    """Text in Prometheus' format."""
    house = house_of(request)
    load = await house.desk.look(house.desk.store.load)
    return Response(house.metrics.text(dict(load)), media_type="text/plain; version=0.0.4; charset=utf-8")
