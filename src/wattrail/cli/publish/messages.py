"""``wattrail publish test`` and ``wattrail publish refused``."""

from __future__ import annotations

import json as json_text
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wattrail.app.config import FILE_NAME, database_of, load_config
from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import ConfigOption, DatabaseOption, Json
from wattrail.clock import SystemClock, zone_of
from wattrail.errors import UnexpectedReply
from wattrail.sanitize import printable_lines
from wattrail.store import open_to_read
from wattrail.store.messages import StoredMessages

if TYPE_CHECKING:
    from wattrail.app.schema import Config
    from wattrail.publish.delivery import MessagePlan


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
        print(json_text.dumps([{**asdict(message), "at": message.at.isoformat()} for message in found]))
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
