"""``wattrail run``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from wattrail.app.config import FILE_NAME, load_config
from wattrail.cli import output, safety
from wattrail.cli.browser import is_at_a_desktop, open_page
from wattrail.cli.exits import UsageError
from wattrail.cli.run_notices import notices
from wattrail.cli.safety import Answer, WiringOptions
from wattrail.cli.stopping import stop_quietly
from wattrail.gateway.logs import set_up_logging

_Port = validators.Number(gte=0, lte=65535)


def run(
    *,
    config: Annotated[Path | None, Parameter(help=f"Configuration file; else {FILE_NAME} here, else your own.")] = None,
    web: Annotated[
        bool,
        Parameter(
            name="--web", negative="--no-web", help="Serve the page and the REST interface, or only read meters."
        ),
    ] = True,
    host: Annotated[
        str | None, Parameter(help="Address to serve at (127.0.0.1); 0.0.0.0 is the whole network.")
    ] = None,
    port: Annotated[int | None, Parameter(help="TCP port (8042); 0 takes one that is free.", validator=_Port)] = None,
    database: Annotated[Path | None, Parameter(help="Database file.")] = None,
    browser: Annotated[
        bool | None, Parameter(name="--open", negative="--no-open", help="Open the page in a browser, or do not.")
    ] = None,
    wiring: WiringOptions | None = None,
) -> None:
    """Run the gateway with its dashboard.

    Reads the meters of the configuration, keeps their accounts and shows them on a page, until Ctrl-C or SIGTERM.
    With no meter configured it runs a digital twin, and lists the ports of this machine that could carry a meter;
    it opens none that is not configured.
    """
    from wattrail import app

    if not web and (host is not None or port is not None or browser):
        raise UsageError("--no-web serves no page", hint="leave out --host, --port and --open, or leave out --no-web")
    set_up_logging()
    with stop_quietly():
        written = load_config(config)
        plan = app.plan_service(written, web=web, host=host, port=port, database=database)
        configured = written.safety.confirmed if written else None
        safety.confirm(
            [meter.url for meter in plan.gateway.meters],
            given=(wiring or WiringOptions()).answer,
            configured=Answer(configured) if configured else None,
        )
        for notice in notices(plan):
            output.note(notice)
        app.run(plan, on_ready=partial(_ready, opens=is_at_a_desktop() if browser is None else browser))


def _ready(address: str | None, *, opens: bool) -> None:
    if address is None:
        return  # no page is served
    print(address, flush=True)
    if opens:
        open_page(address)
