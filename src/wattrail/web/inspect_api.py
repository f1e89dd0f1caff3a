"""POST /inspect: a dump in the body, what it says in the answer.

The work is done in a thread of the page's process, which shares nothing with the meters. One file at a time: whoever
comes meanwhile is asked to wait, also while a file that took too long is still looked at.
"""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from wattrail.access import Scope
from wattrail.errors import ImageError
from wattrail.web import limits
from wattrail.web.body import file_under_way
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.problems import ProblemDetails, RequestRefused

__all__ = ["inspect_router"]

_BYTES: Final = "application/octet-stream"
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {_BYTES: {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
    }
}


class BoardMatchJson(BaseModel):
    """A known board, the share of the observed facts that agree with it, and these facts."""

    board: str
    title: str
    confidence: Literal["likely", "same_wiring", "possible"]
    agreement: float
    evidence: list[str]
    contradictions: list[str]


class ObservedBoardJson(BaseModel):
    """What one source in the file says of the board, and what it fits, the best first.

    ``product`` is the key under which the cloud knows the product, ``datapoints`` are the numbers of all that it has.
    """

    source: str
    module: str | None
    chip: str | None
    metering_chip: str | None
    bus: str | None
    product: str | None
    datapoints: list[int]
    pins: list[str]
    matches: list[BoardMatchJson]


class BoardsJson(BaseModel):
    """The stock firmware's configuration and OpenBeken's, and where they contradict each other."""

    disagreements: list[str]
    sources: list[ObservedBoardJson]


class BoardExportJson(BaseModel):
    """The files of a board for one firmware, by name. ``with_calibration``: the constants of the file are in them."""

    board: str
    target: Literal["openbeken", "esphome", "tasmota", "wattrail"]
    files: dict[str, str]
    with_calibration: bool


class InspectedJson(BaseModel):
    """What a file says. ``inspection`` is the record of ``wattrail image inspect --json``, secrets hidden.

    ``picture`` is its map as SVG; ``calibration_source`` says whose constants the file has.
    """

    inspection: dict[str, Any]
    picture: str
    boards: BoardsJson
    calibration_source: Literal["factory", "openbeken"] | None
    exports: list[BoardExportJson]


def inspect_router() -> APIRouter:
    """The route, and the only thread that it uses."""
    router = APIRouter(prefix="/api/v1")
    executor = ThreadPoolExecutor(1, thread_name_prefix="inspect")
    busy = threading.Lock()

    def work(data: bytes) -> bytes:
        try:
            from wattrail.web.inspection import inspected  # numpy, and all of the image room: not for every page

            # ASCII: a stored text may have half a surrogate pair, which UTF-8 cannot say
            return json.dumps(inspected(data), allow_nan=False).encode("ascii")
        finally:
            busy.release()

    @router.post(
        "/inspect", tags=["boards"], response_model=InspectedJson, responses=may_fail(413, 422, 503),
        openapi_extra=_BODY,
    )  # fmt: skip
    @needs(Scope.READ)
    async def inspect(request: Request) -> Response:
        """What a dump, an image or a storage area says, and which board it likely is of; nothing is stored."""
        data = await _bytes_of(request)
        if not busy.acquire(blocking=False):
            raise RequestRefused(file_under_way())
        working = asyncio.get_running_loop().run_in_executor(executor, work, data)
        try:
            answer = await asyncio.wait_for(working, limits.INSPECT_TIMEOUT_S)
        except TimeoutError:
            raise RequestRefused(
                ProblemDetails("unavailable", f"the file was not read within {limits.INSPECT_TIMEOUT_S:g} s",
                               "look at it with 'wattrail image inspect FILE'")
            ) from None  # fmt: skip
        except ImageError as error:
            raise RequestRefused(ProblemDetails("invalid", str(error), error.hint)) from error
        return Response(answer, media_type="application/json")

    return router


async def _bytes_of(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _BYTES:
        raise RequestRefused(ProblemDetails("invalid", f"expected a body of {_BYTES}", "send the file as it is"))
    data = await request.body()
    if not data:
        raise RequestRefused(ProblemDetails("invalid", "the file is empty", "choose the dump itself"))
    return data
