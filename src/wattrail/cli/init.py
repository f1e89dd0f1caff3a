"""``wattrail init``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from cyclopts import Parameter

from wattrail.app.config import DATABASE_NAME, FILE_NAME, data_dir, parse_config, user_config_dir
from wattrail.app.first_configuration import FirstAnswers, configuration_text, logins_text, secrets_text
from wattrail.app.machine_zone import machine_zone
from wattrail.cli import output
from wattrail.cli.exits import UsageError
from wattrail.cli.person import at_a_terminal, typed
from wattrail.cli.safety import Answer
from wattrail.credentials import default_secrets_file
from wattrail.errors import ConfigError
from wattrail.sanitize import printable
from wattrail.transport import is_wired
from wattrail.transport.discovery import list_candidates

SYSTEM_CONFIG: Path = Path("/etc/wattrail")
SYSTEM_DATA: Path = Path("/var/lib/wattrail")
_NONE: Final = "none"


class _NewFile(NamedTuple):
    path: Path
    text: str
    mode: int


def init(
    *,
    meter: Annotated[str | None, Parameter(help="URL of the first meter, or none.")] = None,
    name: Annotated[str | None, Parameter(help="Its name (house); its account is kept under it.")] = None,
    confirmed: Annotated[
        Answer | None, Parameter(help="How its wires are kept off the mains: isolated or mains-off.")
    ] = None,
    timezone: Annotated[str | None, Parameter(help="Time zone of the site, such as Europe/Berlin.")] = None,
    database: Annotated[Path | None, Parameter(help="Database file.")] = None,
    broker: Annotated[str | None, Parameter(help="MQTT broker of Home Assistant, or none.")] = None,
    config: Annotated[Path | None, Parameter(help="Where to write the configuration.")] = None,
    system: Annotated[bool, Parameter(help=f"For a system service: {SYSTEM_CONFIG} and {SYSTEM_DATA}.")] = False,
) -> None:
    """Make a configuration to start with.

    Asks at a terminal what is not given; elsewhere it takes the usual. Writes a commented wattrail.toml, a file for
    logins with mode 0600 and the folder of the database. It overwrites nothing.
    """
    folder = SYSTEM_CONFIG if system else user_config_dir()
    path = (config or folder / FILE_NAME).absolute()
    usual_database = (SYSTEM_DATA if system else data_dir()) / DATABASE_NAME
    # A link that leads nowhere is there, too, and somebody's.
    if os.path.lexists(path):
        raise UsageError(f"{path} is there already, and is left as it is", hint="edit it, or name another: --config")
    answers = _answers(meter, name, confirmed, timezone, database or usual_database, broker, is_asked=database is None)
    text = configuration_text(answers)
    try:
        parse_config(text, printable(str(path)))
    except ConfigError as error:
        raise UsageError(f"nothing was written: {error}", hint=error.hint) from error
    if system:
        logins = _NewFile(SYSTEM_CONFIG / "logins.env", logins_text(answers.broker), 0o600)
    else:
        logins = _NewFile(default_secrets_file(), secrets_text(answers.broker), 0o600)
    try:
        made = list(_written(answers.database, logins, _NewFile(path, text, 0o644)))
    except OSError as error:
        hint = "type: sudo wattrail init --system" if system else "name another place: --config, --database"
        raise UsageError(f"{error.filename} cannot be made: {error.strerror}", hint=hint) from error
    print("\n".join(f"made {one}" for one in made))
    output.note(_next(path, config is not None, system=system))


def _written(database: Path, *files: _NewFile) -> Iterator[Path]:
    """Make what is not there; the configuration comes last, for it says that all is there."""
    for folder in dict.fromkeys([database.absolute().parent, *(file.path.parent for file in files)]):
        if not folder.is_dir():
            folder.mkdir(parents=True, mode=0o750 if folder == database.absolute().parent else 0o755)
            yield folder
    for file in files:
        try:
            # With its mode from the first moment: logins must not be readable for an instant.
            descriptor = os.open(file.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
        except FileExistsError:
            continue  # logins of an earlier installation
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(file.text)
        yield file.path


def _next(path: Path, is_elsewhere: bool, *, system: bool) -> str:
    if system:
        user = f"sudo wattrail user add NAME --scope admin --config {path}"
        return (
            f"next: edit {path} if you like, then sudo systemctl enable --now wattrail\n"
            f"for the page on other machines: host in [web], and a first user, once there is a meter: {user}"
        )
    option = f" --config {path}" if is_elsewhere else ""
    return f"next: wattrail run{option}; a later change: edit {path}, then wattrail reload{option}"


# ---- the questions


def _answers(
    meter: str | None,
    name: str | None,
    confirmed: Answer | None,
    timezone: str | None,
    database: Path,
    broker: str | None,
    *,
    is_asked: bool,
) -> FirstAnswers:
    """What was given as an option, else what a person answers, else the usual."""
    asks = at_a_terminal()

    def answer(given: str | None, question: str, usual: str) -> str:
        if given is not None or not asks:
            return usual if given is None else given
        return typed(f"{question} [{usual}] ") or usual

    if asks and meter is None:
        _show_ports()
    url = _or_none(answer(meter, "URL of the first meter, or none:", _NONE))
    if url is not None and is_wired(url) and confirmed is None:
        text = answer(None, "How are its wires kept off the mains (docs/safety.md), isolated or mains-off:", _NONE)
        confirmed = _confirmation(text)
    return FirstAnswers(
        meter=url,
        name=answer(name, "Its name:", "house") if url else "house",
        confirmed=confirmed.value if confirmed else None,
        timezone=_or_none(answer(timezone, "Time zone of the site:", machine_zone() or _NONE)),
        database=Path(answer(None, "Database:", str(database)) if is_asked else database).expanduser(),
        broker=_or_none(answer(broker, "MQTT broker of Home Assistant, such as mqtt://192.168.1.5, or none:", _NONE)),
    )


def _confirmation(text: str) -> Answer | None:
    try:
        return Answer(text) if text != _NONE else None
    except ValueError:
        raise UsageError(f"{printable(text)!r} is neither isolated nor mains-off", hint="see docs/safety.md") from None


def _show_ports() -> None:
    for found in list_candidates():
        output.note(f"could carry a meter: {found.url}  ({found.description})")


def _or_none(text: str) -> str | None:
    return None if text.lower() in {"", _NONE, "none yet", "no"} else text
