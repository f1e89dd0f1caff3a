"""The page asks the gateway for something and waits for the answer; the gateway does only what it offers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from wattrail.errors import ConfigError, StoreError
from wattrail.web.gateway_calls import GatewayCalls, answer_call, answer_line
from wattrail.web.messages import MAX_LINE
from wattrail.web.problems import ProblemDetails, RequestRefused


def refuse(_arguments: object) -> object:
    raise ConfigError("no meter is named roof", hint="house is")


def busy(_arguments: object) -> object:
    raise StoreError("the database is locked")


def taken(_arguments: object) -> object:
    raise RequestRefused(ProblemDetails("not-found", "there is no entry 7"))


def broken(_arguments: object) -> object:
    raise KeyError("secret")


ACTIONS = {
    "double": lambda arguments: 2 * arguments["number"],
    "refuse": refuse,
    "busy": busy,
    "taken": taken,
    "broken": broken,
    "long": lambda _arguments: "x" * MAX_LINE,
    "odd": lambda _arguments: object(),
}


def ask(action: str, **arguments: object) -> Any:
    """The result of a call that goes to the gateway and back as lines."""

    async def story() -> Any:
        def send(call: dict[str, Any]) -> None:
            line = answer_line(json.loads(json.dumps(call)), ACTIONS)
            asyncio.get_running_loop().call_soon(calls.answered, json.loads(line)["answer"])

        calls = GatewayCalls(send)
        return await calls.call(action, **arguments)

    return asyncio.run(story())


def test_the_answer_comes_back() -> None:
    assert ask("double", number=21) == 42


@pytest.mark.parametrize(
    ("action", "kind", "detail"),
    [
        ("refuse", "invalid", "no meter is named roof"),
        ("busy", "unavailable", "the database is locked"),
        ("taken", "not-found", "there is no entry 7"),
        ("broken", "failed", "KeyError in the gateway"),
        ("unheard-of", "unavailable", "this gateway does not do 'unheard-of'"),
        ("long", "failed", "the answer is too long"),
        ("odd", "failed", "object cannot be part of a message"),
    ],
)
def test_a_refusal_comes_back_with_its_reason(action: str, kind: str, detail: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        ask(action)
    assert (refused.value.problem.kind, refused.value.problem.detail) == (kind, detail)


def test_a_hint_comes_back_too() -> None:
    with pytest.raises(RequestRefused) as refused:
        ask("refuse")
    assert refused.value.problem.hint == "house is"


@pytest.mark.parametrize("call", [{}, {"id": 1}, [], {"id": 1, "action": "double"}])
def test_what_is_not_a_call_is_refused(call: Any) -> None:
    with pytest.raises(ValueError, match="a call without"):
        answer_call(call, ACTIONS)


def test_a_late_answer_harms_nothing() -> None:
    GatewayCalls(lambda **_message: None).answered({"id": 99, "result": 1})


def test_too_many_at_once_are_refused() -> None:
    async def story() -> None:
        calls = GatewayCalls(lambda **_message: None)
        waiting = [asyncio.create_task(calls.call("double", number=one)) for one in range(16)]
        await asyncio.sleep(0)
        with pytest.raises(RequestRefused, match="busy"):
            await calls.call("double", number=17)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(story())
