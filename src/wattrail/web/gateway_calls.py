"""Calls from the page's process to the gateway, which alone writes: one request, one answer.

The page may name an action and give its arguments, no more: the gateway looks the action up in a table that it was
started with. Whether the caller may do it was decided before (``web.permissions``).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from wattrail.errors import ConfigError, WattrailError
from wattrail.web.messages import MAX_LINE, encode_line
from wattrail.web.problems import PROBLEMS, ProblemDetails, RequestRefused

__all__ = ["MAX_CALL", "Action", "GatewayCalls", "answer_call", "answer_line", "busy_answer"]

Action = Callable[[Mapping[str, Any]], object]
"""Takes the arguments of a call and returns what becomes JSON; raises WattrailError for what it refuses."""

MAX_CALL: Final = 1024 * 1024
"""Bytes of a call as a line; the longest is a configuration that a person has written."""

_WITHIN_S: Final = 60.0
"""Seconds until an answer is no longer awaited; proving the ledger of years takes a part of that."""

_MAX_WAITING: Final = 16

logger = logging.getLogger(__name__)


def _no_gateway(**_message: object) -> None:
    raise RequestRefused(ProblemDetails("unavailable", "there is no gateway to ask"))


class GatewayCalls:
    """The page's side. ``send`` takes the fields of a message to the gateway; without it every call is refused."""

    def __init__(self, send: Callable[..., object] = _no_gateway) -> None:
        self._send = send
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def call(self, action: str, **arguments: object) -> object:
        """The result of an action. Raises RequestRefused with the gateway's reason, or if it does not answer."""
        # The gateway carries out four at once and refuses more; this bounds what waits here for its answers.
        if len(self._waiting) >= _MAX_WAITING:
            raise RequestRefused(ProblemDetails("unavailable", "the gateway is busy with other changes"))
        number, answer = next(self._ids), asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._send(call={"id": number, "action": action, "arguments": arguments})
            async with asyncio.timeout(_WITHIN_S):
                return await answer
        except TimeoutError:
            raise RequestRefused(
                ProblemDetails(
                    "unavailable",
                    f"the gateway has not answered for {_WITHIN_S:.0f} s: whether it was done is not known",
                    "look at what is stored before you send it again",
                )
            ) from None
        finally:
            del self._waiting[number]

    def answered(self, answer: Mapping[str, Any]) -> None:
        """Take an answer of the gateway; one that nobody awaits any more is dropped."""
        waiting = self._waiting.get(answer["id"])
        if waiting is None or waiting.done():
            return
        if (problem := answer.get("problem")) is not None:
            waiting.set_exception(RequestRefused(ProblemDetails(**problem)))
        else:
            waiting.set_result(answer.get("result"))


def answer_call(call: Mapping[str, Any], actions: Mapping[str, Action]) -> dict[str, object]:
    """The gateway's side: the answer to a call. Raises ValueError for what is none."""
    try:
        number, name, arguments = call["id"], call["action"], call["arguments"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"a call without {error}") from error
    action = actions.get(name) if isinstance(name, str) else None
    if action is None or not isinstance(arguments, dict):
        return _problem(number, ProblemDetails("unavailable", f"this gateway does not do {str(name)[:40]!r}"))
    try:
        return {"id": number, "result": action(arguments)}
    except RequestRefused as refused:
        return _problem(number, refused.problem)
    except ConfigError as error:
        return _problem(number, ProblemDetails("invalid", str(error), error.hint))
    except WattrailError as error:
        return _problem(number, ProblemDetails("unavailable", str(error), error.hint))
    except Exception as error:  # the page shows it, and the gateway goes on
        logger.exception("%s failed", name)
        return _problem(number, ProblemDetails("failed", f"{type(error).__name__} in the gateway"))


def answer_line(call: Mapping[str, Any], actions: Mapping[str, Action]) -> bytes:
    """The answer to a call as a message. Raises ValueError for what is not a call."""
    answer = answer_call(call, actions)
    try:
        line = encode_line(answer=answer)
    except TypeError as error:
        logger.exception("the result of %s is not JSON", call["action"])
        line = encode_line(answer=_problem(answer["id"], ProblemDetails("failed", str(error))))
    if len(line) > MAX_LINE:
        line = encode_line(answer=_problem(answer["id"], ProblemDetails("failed", "the answer is too long")))
    return line


def busy_answer(call: Mapping[str, Any]) -> dict[str, object]:
    """The answer to a call that is not carried out because others are."""
    return _problem(call.get("id"), ProblemDetails("unavailable", "the gateway is busy with other changes"))


def _problem(number: object, problem: ProblemDetails) -> dict[str, object]:
    assert problem.kind in PROBLEMS
    return {
        "id": number,
        "problem": {"kind": problem.kind, "detail": problem.detail, "hint": problem.hint, "more": dict(problem.more)},
    }
