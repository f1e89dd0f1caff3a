"""``wattrail device log``."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from wattrail.cli import output
from wattrail.cli.device.target import DeviceHost, DeviceOptions
from wattrail.cli.stopping import stop_quietly
from wattrail.credentials import Secrets
from wattrail.errors import WattrailError
from wattrail.openbeken import SECRET_FIELDS
from wattrail.sanitize import hide_credentials, printable

if TYPE_CHECKING:
    from wattrail.device import OpenBekenClient

__all__ = ["log"]


def log(
    host: DeviceHost,
    *,
    port: Annotated[
        int, Parameter(help="Port of its log (9000).", validator=validators.Number(gte=1, lte=65535))
    ] = 9000,
    lines: Annotated[
        int, Parameter(help="Stop after so many lines; 0 goes on.", validator=validators.Number(gte=0))
    ] = 0,
    options: DeviceOptions | None = None,
) -> None:
    """Show what a device writes in its log.

    As it comes, until Ctrl-C. A device's own passwords are hidden, which the firmware prints when it starts.
    """
    from wattrail.device.client import open_client
    from wattrail.device.log_stream import log_lines

    given = options or DeviceOptions()
    client = open_client(host, secrets=Secrets(), login=given.login, timeout_s=given.timeout)

    async def follow() -> None:
        secrets, count = await _secrets_of(client), 0
        async for line in log_lines(client.host, port, timeout_s=given.timeout):
            print(hide_credentials(printable(line), *secrets), flush=True)
            count += 1
            if count == lines:
                return

    with stop_quietly():
        asyncio.run(follow())


async def _secrets_of(client: OpenBekenClient) -> tuple[str, ...]:
    """The passwords that stand in its settings, so that they can be hidden."""
    with suppress(WattrailError):
        found = await client.information()
        if found.chip is not None:
            _, settings = await client.configuration(found.chip)
            return tuple(text for name in SECRET_FIELDS if (text := settings.text(name)))
    output.note("its settings cannot be read, so passwords in its log are not known and not hidden")
    return ()
