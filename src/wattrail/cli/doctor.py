"""``wattrail doctor`` and ``wattrail report``."""

from __future__ import annotations

from collections import Counter
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from wattrail.app.config import find_config, load_config
from wattrail.cli import clock, output
from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.option_types import DatabaseOption, FoundConfigOption, Json, running_database
from wattrail.database_address import DatabaseAddress
from wattrail.errors import FileError, WattrailError

if TYPE_CHECKING:
    from wattrail.app.doctor import DoctorFinding, Surroundings


def doctor(
    *,
    config: FoundConfigOption = None,
    database: DatabaseOption = None,
    json: Json = False,
) -> int:
    """Look at what a gateway needs from this machine, and say what is wrong.

    Configuration, libraries, ports and who holds them, files and their modes, database, disk, clock, page, certificate,
    users, brokers and service, each with its remedy. Run it as the user of the gateway. It changes nothing, and
    contacts only the brokers that the configuration names.
    """
    from wattrail.app.doctor import FindingSeverity, examine

    found = list(examine(_surroundings(config, database)))
    if json:
        print(dumps([{"check": name} | _object(finding) for name, finding in found]))
    else:
        for name, finding in found:
            print(output.located(f"{finding.severity:<8} {name:<14} {finding.text}"))
            if finding.remedy:
                print(output.located(f"{'':<8} {'':<14} remedy: {output.with_options(finding.remedy)}"))
        count = Counter(finding.severity for _, finding in found)
        print(f"{count[FindingSeverity.ERROR]} errors, {count[FindingSeverity.WARNING]} warnings")
    return Exit.FAILED if any(finding.severity is FindingSeverity.ERROR for _, finding in found) else Exit.DONE


def _object(finding: DoctorFinding) -> dict[str, str | None]:
    return {"severity": finding.severity.value, "text": finding.text, "remedy": finding.remedy}


def _surroundings(file: Path | None, database: DatabaseAddress | None) -> Surroundings:
    """A wrong configuration gives no plan; the check of the configuration says why."""
    config, plan, problem = None, None, None
    from wattrail.app import plan_service
    from wattrail.app.doctor import Surroundings

    file = file or find_config()
    try:
        config = load_config(file) if file else None
        plan = plan_service(config)
    except WattrailError as error:
        problem = error
    if database is None:
        database = running_database(config)
    return Surroundings(file=file, config=config, plan=plan, problem=problem, database=database)


# ---- report


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

    around = _surroundings(config, database)
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
        with file.open(
            "rb"
        ) as stream:  # not wattrail.files: a shell gives what a command says as a pipe, <(journalctl)
            data = stream.read(_MAX_ADDED + 1)
    except OSError as error:
        raise FileError(f"{file} cannot be read: {error.strerror}") from error
    if b"\0" in data or len(data) > _MAX_ADDED:
        raise UsageError(
            f"{file} is not a text of at most {_MAX_ADDED // 1_000_000} MB",
            hint="a dump holds keys and names of its owner: hand on what 'wattrail image inspect' says of it instead",
        )
    return data.decode("utf-8", errors="replace")
