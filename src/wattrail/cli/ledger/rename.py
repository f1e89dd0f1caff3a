"""``wattrail ledger rename``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from wattrail.app.config import demo_database, find_config, load_config
from wattrail.app.plan import DEMO_METERS
from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.ledger.account import one_account
from wattrail.cli.option_types import BooksOptions
from wattrail.cli.reading_view import SIMULATED
from wattrail.sanitize import printable
from wattrail.store.rename import rename_meter
from wattrail.urls import METER_NAME


def rename(
    old: Annotated[str, Parameter(help="Name of the meter in the database.")],
    new: Annotated[str, Parameter(help="Its name from now on.")],
    *,
    options: BooksOptions | None = None,
) -> None:
    """Give a meter another name.

    Ledger, identity at other programs and kept calibrations stay with it. Stop the gateway first, and change the name
    in wattrail.toml before it starts again: there a name that the database does not know begins a new account.
    """
    options = options or BooksOptions()
    if not METER_NAME.fullmatch(new):
        raise UsageError(
            f"{printable(repr(new))} is not a meter name",
            hint="use letters, digits, dot, dash and underscore, at most 64",
        )
    with one_account(old, options) as account:
        path, simulated = account.reader.path, account.meter.simulated
    rename_meter(path, old, new)
    print(f"{old} is {new} in {path}" + (f"  {SIMULATED}" if simulated else ""))
    _say_what_is_left(old, new, options)
    if old in {meter.name for meter in DEMO_METERS} and path == demo_database():
        output.hint(
            f"wattrail run without a [[meter]] opens a new account named {old}; "
            f"this undoes it: wattrail ledger rename {new} {old}"
        )


def _say_what_is_left(old: str, new: str, options: BooksOptions) -> None:
    config = load_config(options.config)
    if config is None or old not in {meter.name for meter in config.meter}:
        return
    file = printable(str(options.config or find_config()))
    output.hint(f'in {file}, write name = "{new}" in place of name = "{old}" before wattrail run starts')
    if config.publish.p1 and config.publish.p1.meter == old:
        output.hint(f'in {file}, [publish.p1], write meter = "{new}"')
