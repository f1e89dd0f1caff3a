"""``wattrail publish list``, ``status``, ``test`` and ``refused``."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import asdict
from http.client import HTTPException
from json import dumps, loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.request import ProxyHandler, build_opener

from cyclopts import Parameter

from wattrail.app.config import FILE_NAME, database_of, load_config
from wattrail.cli import output
from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.option_types import ConfigOption, DatabaseOption, Json
from wattrail.clock import SystemClock, zone_of
from wattrail.database_address import DatabaseAddress, is_there
from wattrail.errors import UnexpectedReply
from wattrail.sanitize import printable, printable_lines
from wattrail.store import lock_holder, open_to_read
from wattrail.store.messages import StoredMessages

if TYPE_CHECKING:
    from wattrail.app.schema import Config
    from wattrail.publish.delivery import MessagePlan


_ANSWER_S = 5.0
_MAX_ANSWER = 1 << 20
_WELL = frozenset({"live", "connecting"})


def list_publishers(*, config: ConfigOption = None, json: Json = False) -> None:
    """List the publishers of the configuration, and where each sends to."""
    found = [{"name": name, "target": target} for name, target in _configured(_loaded(config))]
    if json:
        print(dumps(found))
        return
    for one in found:
        print(printable(f"{one['name']:<24}{one['target']}", limit=400))
    if not found:
        output.note("no publisher is configured; docs/publish.md has examples")


def status(*, config: ConfigOption = None, json: Json = False) -> int:
    """Show what each publisher is doing, how many registers wait, and its last error.

    A running gateway is asked. Where none runs, the configuration says what there is, and the outbox what waits. Exit
    code 1 if the consumer of one is away, refuses or the publisher failed.
    """
    loaded = _loaded(config)
    database = database_of(loaded)
    holder = lock_holder(database)
    found = _asked(holder.address) if holder is not None and holder.address else None
    if holder is not None and found is None:
        output.note(f"a gateway runs, but its page does not answer: {holder}")
    if holder is None:
        output.note("no gateway runs on this database")
    found = list(_from_outbox(loaded, database)) if found is None else found
    if json:
        print(dumps(found))
    else:
        for one in found:
            print(printable_lines("\n".join(_lines(one))))
        if not found:
            output.note("no publisher is configured; docs/publish.md has examples")
    return Exit.DONE if all(one["status"] in _WELL or one["status"] is None for one in found) else Exit.FAILED


def _loaded(config: Path | None) -> Config:
    """The configuration. Raises UsageError, ConfigError."""
    loaded = load_config(config)
    if loaded is None:
        raise UsageError(f"found no {FILE_NAME}", hint="docs/publish.md has an example")
    return loaded


def _configured(config: Config) -> Iterator[tuple[str, str]]:
    """Name and target of every publisher, as the running gateway names them. Raises ConfigError."""
    from wattrail.app.publish_plan import plan_consumers

    meters = [one.name for one in config.meter] + [one.name for one in config.virtual]
    for plan in plan_consumers(config.publish, meters):
        yield plan.name, plan.target


def _asked(address: str) -> list[dict[str, Any]] | None:
    """The publishers of a running gateway; None where it does not answer, or wants a login."""
    # Past any proxy of the environment: the page is on this machine, or in its network.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{address.rstrip('/')}/api/v1/publishers", timeout=_ANSWER_S) as answer:
            found = loads(answer.read(_MAX_ANSWER))
    except (OSError, ValueError, HTTPException):  # another program may have the port by now
        return None
    return found if isinstance(found, list) and all(isinstance(one, dict) for one in found) else None


def _from_outbox(config: Config, database: DatabaseAddress) -> Iterator[dict[str, Any]]:
    """The same fields as far as they are known without a gateway: null for those that are not."""
    from wattrail.store import open_to_read
    from wattrail.store.outbox import Outbox

    if is_there(database):
        with open_to_read(database):
            pass  # it is ours, and of this version
    for name, target in _configured(config):
        waiting = None
        if is_there(database):
            with Outbox(database, name) as outbox:
                waiting = outbox.count()
        yield {
            "name": name, "target": target, "status": None, "since": None, "error": None, "hint": None, "sent_at": None,
            "waiting": waiting, "held": {},
        }  # fmt: skip


def _lines(one: dict[str, Any]) -> Iterator[str]:
    waiting = f", {one['waiting']} waiting" if one.get("waiting") else ""
    yield f"{one['name']:<24}{one['status'] or 'not running'}{waiting}  {one['target']}"
    if one.get("sent_at"):
        yield f"    last sent {one['sent_at']}"
    if one.get("error"):
        yield f"    {one['error']}"
    if one.get("hint"):
        yield f"    try this: {one['hint']}"
    for who, why in (one.get("held") or {}).items():
        yield f"    {who} is held: {why}"


# ---- messages


def send_test(
    name: Annotated[str, Parameter(help="Name of the webhook, or email.")], *, config: ConfigOption = None
) -> None:
    """Send a test message to a webhook or by e-mail.

    Nothing else is sent, no meter is read, and the gateway may run.
    """
    from wattrail.publish.delivery import MessageRefused
    from wattrail.publish.message import probe_message
    from wattrail.publish.status import DeliveryFailed

    plan = _named(name, load_config(config))
    clock = SystemClock()
    output.note(f"sending a test message to {plan.target}")
    try:
        plan.sender.send(probe_message(plan.name, secrets.token_hex(6), clock.now()), clock)
    except DeliveryFailed as failed:
        raise failed.error from failed
    except MessageRefused as refused:
        raise UnexpectedReply(f"the message is refused: {refused}", hint="docs/notify.md, what is refused") from refused
    print(f"{plan.name}: the message is delivered")


def refused(
    *,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    json: Json = False,
) -> None:
    """List the messages that were refused.

    Newest first, each with its reason. They are kept and not sent again.
    """
    loaded = load_config(config)
    path = database or database_of(loaded)
    with open_to_read(path), StoredMessages(path) as stored:
        found = stored.refused()
    if json:
        print(dumps([{**asdict(message), "at": message.at.isoformat()} for message in found]))
        return
    if not found:
        output.note("no message was refused")
    zone = zone_of(loaded.site.timezone if loaded else None)
    for message in found:
        when = message.at.astimezone(zone)
        print(printable_lines(f"{when:%Y-%m-%d %H:%M}  {message.consumer}  {message.subject}\n    {message.reason}"))


def _named(name: str, config: Config | None) -> MessagePlan:
    """The consumer of messages of that name. Raises UsageError, ConfigError."""
    if config is None:
        raise UsageError(f"found no {FILE_NAME}", hint="docs/notify.md has an example")
    from wattrail.app.publish_plan import plan_messages

    plans = plan_messages(config.publish)
    for plan in plans:
        if name in {plan.name, plan.name.partition(".")[2]}:
            return plan
    known = ", ".join(plan.name.removeprefix("webhook.") for plan in plans)
    raise UsageError(
        f"no webhook is named {name!r}; known: {known}" if plans else "no webhook and no e-mail is configured",
        hint=None if plans else "docs/notify.md has an example",
    )
