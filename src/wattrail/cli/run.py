"""``wattrail run``."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, validators

from wattrail.app.config import FILE_NAME, find_config, load_config, user_config_dir
from wattrail.app.plan import Demo, ServicePlan
from wattrail.cli import output, safety
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import DatabaseOption, FoundConfigOption
from wattrail.cli.safety import Answer, WiringOptions
from wattrail.cli.stopping import stop_quietly
from wattrail.errors import needs_library
from wattrail.gateway.logs import set_up_logging

if TYPE_CHECKING:
    from wattrail.app.schema import Config
    from wattrail.app.settings import Settings

_Port = validators.Number(gte=0, lte=65535)


def run(
    *,
    config: FoundConfigOption = None,
    web: Annotated[
        bool,
        Parameter(
            name="--web", negative="--no-web", help="Serve the page and the REST interface, or only read meters."
        ),
    ] = True,
    host: Annotated[
        str | None,
        Parameter(help="Address to serve at (127.0.0.1); 0.0.0.0 is the whole network, and needs a user or a token."),
    ] = None,
    port: Annotated[int | None, Parameter(help="TCP port (8042); 0 takes one that is free.", validator=_Port)] = None,
    wait_for_user: Annotated[
        bool,
        Parameter(help="Serve on a network although nobody can sign in yet: for a service or container."),
    ] = False,
    database: DatabaseOption = None,
    browser: Annotated[
        bool | None, Parameter(name="--open", negative="--no-open", help="Open the page in a browser, or do not.")
    ] = None,
    past: Annotated[
        bool,
        Parameter(name="--past", negative="--no-past", help="Give a demo twin a generated year at its first start."),
    ] = True,
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
    options, confirmed = wiring or WiringOptions(), set[str]()

    def plan_of(written: Config | None) -> ServicePlan:
        return app.plan_service(
            written, web=web, host=host, port=port, wait_for_user=wait_for_user, database=database, past=past
        )

    def planned(*, asks: bool) -> ServicePlan:
        """The plan of the file as it is now. A reload asks nothing: nobody may be there to answer."""
        nonlocal config
        config = config or find_config()
        written = load_config(config) if config else None
        plan = plan_of(written)
        answer = Answer(written.safety.confirmed) if written and written.safety.confirmed else None
        urls = [meter.url for meter in plan.gateway.meters if meter.url not in confirmed]
        safety.confirm(urls, given=options.answer, configured=answer, asks=asks)
        confirmed.update(urls)
        return plan

    with stop_quietly():
        plan = planned(asks=True)
        set_up_logging(plan.log.number, plan.log.format, redacts=plan.log.redacts)
        for notice in notices(plan):
            output.note(notice)
        if isinstance(plan.database, Path) and not (folder := plan.database.absolute().parent).exists():
            output.note(f"note: the folder {folder} is made for the database")
        opens = _is_at_a_desktop() if browser is None else browser
        app.run(
            plan, on_ready=partial(_ready, opens=opens), replan=partial(planned, asks=False),
            settings=_settings(config or user_config_dir() / FILE_NAME, plan_of) if web else None,
        )  # fmt: skip


def _settings(path: Path, planned: Callable[[Config], ServicePlan]) -> Settings:
    """What the page may change. Raises MissingExtra."""
    with needs_library("the dashboard", "tomlkit", extra="run", module="tomlkit"):
        from wattrail.app.settings import Settings
    from wattrail.app.settings_file import SettingsFile

    return Settings(SettingsFile(path), planned)


def _ready(address: str | None, *, opens: bool) -> None:
    if address is None:
        return  # no page is served
    print(address, flush=True)
    if opens:
        _open_page(address)


def _is_at_a_desktop() -> bool:
    """Whether a person sits here, at a screen that can show a page."""
    # On Linux a service, a container and a plain shell over SSH have neither; other systems have no such variable.
    has_screen = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_screen and sys.stdout.isatty()


def _open_page(address: str) -> None:
    """Show a page; returns at once, for a browser may take its time."""
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


# ---- what is said before it runs


_SIMULATED: Final = (
    "No meter is configured, so all you see is SIMULATED: two digital twins of a PZIOT-E01, at the grid and at the "
    "roof of a house. Where no tariff is configured, costs are those of an example."
)
_PAST: Final = "The twins are given a simulated past of 400 days now, once: some seconds."
_NOTHING_FOUND: Final = "No port of this machine looks as if it could carry a meter."
_WITHOUT_TLS: Final = (
    "warning: the page is served at {host} without TLS: passwords, tokens and numbers cross the network in the clear. "
    "Set certificate and key in [site], or keep it to this machine by --host 127.0.0.1."
)


def notices(plan: ServicePlan) -> Iterator[str]:
    """What to say before a plan runs: all is simulated, the network can listen in, or no page is served."""
    if plan.demo is not None:
        yield demo_notice(plan.demo)
        if plan.demo.has_past and isinstance(plan.database, Path) and not plan.database.exists():
            yield _PAST
    if plan.web is None:
        yield _headless_notice(plan)
    elif plan.web.open_to_network and plan.web.certificate is None:
        yield _WITHOUT_TLS.format(host=plan.web.host)


def demo_notice(demo: Demo) -> str:
    """What a person without a meter should know."""
    if not demo.candidates:
        return "\n".join([_SIMULATED, _NOTHING_FOUND, *demo.hidden])
    blocks = [f"# {found.description}\n{found.toml}" for found in demo.candidates]
    where = f"{FILE_NAME} here, or {user_config_dir() / FILE_NAME}"
    return "\n".join(
        [_SIMULATED, f"These ports could carry a meter; none was opened. Put the lines of yours into {where}:"]
        + [f"\n{block}" for block in blocks]
    )


def _headless_notice(plan: ServicePlan) -> str:
    count = len(plan.gateway.meters)
    return f"reading {count} {'meter' if count == 1 else 'meters'} into {plan.database}; no page is served (--no-web)"
