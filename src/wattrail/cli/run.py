"""``wattrail run``."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators

from wattrail.cli import safety, say
from wattrail.cli.config import FILE_NAME, load_config
from wattrail.cli.safety import WiringOptions
from wattrail.cli.service import Service, plan_service
from wattrail.cli.stopping import stop_quietly
from wattrail.errors import MissingExtra
from wattrail.gateway.logs import set_up_logging
from wattrail.gateway.threads import start_thread

_OPEN_TO_NETWORK: Final = (
    "warning: {host} is not this machine alone: everyone on its networks can read these meters, without a password. "
    "Nobody can change anything. Use --host 127.0.0.1 to keep it to yourself."
)

_Port = validators.Number(gte=0, lte=65535)


def run(
    *,
    config: Annotated[Path | None, Parameter(help=f"Configuration file; else {FILE_NAME} here, else your own.")] = None,
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
    it opens none that it was not told to.
    """
    set_up_logging()
    with stop_quietly():
        service = plan_service(load_config(config), host=host, port=port, database=database)
        safety.confirm(
            [meter.url for meter in service.plan.meters],
            given=(wiring or WiringOptions()).answer,
            configured=service.confirmed,
        )
        if service.demo:
            say.note(service.notice())
        _serve(service, browser=_on_a_desktop() if browser is None else browser)


def _serve(service: Service, *, browser: bool) -> None:
    try:
        from wattrail import web
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("wattrail"):
            raise
        raise MissingExtra("the dashboard", library=error.name or "fastapi", extra="run") from error

    def ready(address: str) -> None:
        print(address, flush=True)
        if browser:
            _open_page(address)

    host = service.host or web.DEFAULT_HOST
    if web.is_open_to_network(host):
        say.note(_OPEN_TO_NETWORK.format(host=host))
    asyncio.run(
        web.run(
            service.plan,
            service.database,
            host=host,
            port=web.DEFAULT_PORT if service.port is None else service.port,
            candidates=[web.Candidate(**candidate._asdict()) for candidate in service.candidates],
            on_ready=ready,
            overdue=_leave,
        )
    )


def _leave() -> None:
    """End the process although something still blocks. Every reading that was acknowledged is committed."""
    left = "something did not stop in time and was left behind; every stored reading is counted at the next start"
    start_thread(lambda: say.note(left), name="leave").join(0.2)  # stderr may be what blocks
    os._exit(0)


def _on_a_desktop() -> bool:
    """Whether a person sits here, at a screen that can show a page."""
    has_screen = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_screen and sys.stdout.isatty()


def _open_page(address: str) -> None:
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # a browser may take its time
