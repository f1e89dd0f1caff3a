"""``wattrail report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from wattrail.cli import clock, output
from wattrail.cli.doctor import surroundings
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import DatabaseOption, FoundConfigOption
from wattrail.errors import FileError

_MAX_ADDED: Final = 20_000_000


def report(
    file: Annotated[Path | None, Parameter(help="Where to write it; else a file here, named by the day.")] = None,
    *,
    stdout: Annotated[bool, Parameter(help="Print it, and write no file.")] = False,
    add: Annotated[tuple[Path, ...], Parameter(help="A text to add, such as a log; may be given more than once.")] = (),
    config: FoundConfigOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write what a helper needs to know into one file, without anything private.

    Versions, the doctor's findings, configuration, ports, the last days of every meter, state and log of the gateway.
    IP and MAC addresses, networks, hosts, users, keys, tokens, serial numbers and places are removed as a whole,
    also where they are encoded, and a second pass proves it. Nothing is sent anywhere.
    """
    from wattrail.app.support_report import Attachment, known_values, support_report

    around = surroundings(config, database)
    text = support_report(
        around,
        at=clock.CLOCK.now(),
        known=known_values(around),
        attachments=[Attachment(one.name, _text_of(one)) for one in add],
        progress=lambda title: output.note(f"collecting: {title.lower()}"),
    )
    if stdout:
        print(text, end="")
        return
    path = file or Path(f"wattrail-report-{clock.CLOCK.now():%Y-%m-%d}.txt")
    try:
        with path.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already", hint="name another file, or remove that one") from error
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
    print(path)
    output.note("nothing was sent; read it before you hand it on")


def _text_of(file: Path) -> str:
    """A file to add. Raises UsageError for one that is not text: nothing can be removed from a dump."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise FileError(f"{file} cannot be read: {error.strerror}") from error
    if b"\0" in data or len(data) > _MAX_ADDED:
        raise UsageError(
            f"{file} is not a text of at most {_MAX_ADDED // 1_000_000} MB",
            hint="a dump holds keys and names of its owner: hand on what 'wattrail image inspect' says of it instead",
        )
    return data.decode("utf-8", errors="replace")
