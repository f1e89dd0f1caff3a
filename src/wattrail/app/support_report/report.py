"""Puts the sections together, removes what is private from the whole, and proves that nothing of it is left."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Final

from wattrail.app.doctor import Surroundings
from wattrail.app.support_report.sections import SECTIONS, Section
from wattrail.errors import ConfigError, FileError, WattrailError
from wattrail.files import parse_toml, read_text
from wattrail.redaction import EVERYBODY, Private, PrivateKind, Redactor, leaks
from wattrail.sanitize import hide_credentials, printable_lines

__all__ = ["Attachment", "known_values", "support_report"]

_LOGIN: Final = "WATTRAIL_LOGIN_"
_LOCAL: Final = frozenset({"localhost", "localhost.localdomain"})
_USER_VARIABLES: Final = ("USER", "LOGNAME", "SUDO_USER", "USERNAME")
_MAX_SECTION: Final = 200_000
"""Characters of one section; of a longer one the end stays, where a log has what happened last."""

_HEAD: Final = """\
wattrail support report, {at:%Y-%m-%d}

Addresses, names of networks, hosts and users, keys, passwords, serial numbers and places are replaced by labels: the
same label is the same value. Names of meters, their readings and the time zone are still there. Read it before you
hand it on.
"""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text that somebody adds, such as a log, under its title."""

    title: str
    text: str


def support_report(
    around: Surroundings,
    *,
    at: datetime,
    known: Iterable[Private],
    attachments: Iterable[Attachment] = (),
    sections: Iterable[tuple[str, Section]] = SECTIONS,
    progress: Callable[[str], object] = lambda _title: None,
) -> str:
    """The report as text. Raises WattrailError where the second pass finds a value that the first one left."""
    texts: list[Attachment] = []
    for title, section in sections:
        progress(title)
        texts.append(Attachment(title, _collected(section, around)))
    texts += attachments
    redactor = Redactor(known)
    shown = [Attachment(one.title, _prepared(one.text)) for one in texts]
    for one in shown:  # all of them first: what one names goes from every other
        redactor.learn(one.text)
    parts = [f"== {redactor.redact(one.title)}\n\n{redactor.redact(one.text)}" for one in shown]
    body = "\n\n".join(part.strip("\n") for part in parts) + "\n"
    _require_clean(body, redactor)
    # The head is our own words and is not proven: a machine called "before" would refuse every report.
    return f"{_HEAD.format(at=at)}\n{body}"


def _collected(section: Section, around: Surroundings) -> str:
    """The lines of a section. What goes wrong in one costs the others nothing, and is worth telling."""
    lines: list[str] = []
    try:
        lines.extend(section(around))
    except Exception as error:  # noqa: BLE001 the report is for faults
        lines.append(f"this could not be collected: {type(error).__name__}: {error}")
    return "\n".join(lines)


def _prepared(text: str) -> str:
    text = printable_lines(hide_credentials(text))
    # The end is kept: of a log, the last lines are about the fault.
    if len(text) > _MAX_SECTION:
        text = f"(the first {len(text) - _MAX_SECTION:,} characters are left out)\n{text[-_MAX_SECTION:]}"
    return text


def _require_clean(report: str, redactor: Redactor) -> None:
    if left := leaks(report, redactor.values):
        forms = ", ".join(sorted({f"{leak.kind} ({leak.form})" for leak in left}))
        raise WattrailError(
            f"the report is not written: after everything private was removed, the second pass still finds {forms}",
            hint="this is a defect: report it with this line, and without the report",
        )


# ---- what is known of this machine and of the logins on it, which goes even where it looks like any other word


def known_values(around: Surroundings, environment: Mapping[str, str] = os.environ) -> Iterator[Private]:
    """Names of host and users, hardware addresses, identities of the machine, every login that wattrail would use."""
    for host in {socket.gethostname(), socket.getfqdn(), socket.gethostname().partition(".")[0]} - _LOCAL:
        yield Private(PrivateKind.HOST, host)
    for user in {*_users(), *(environment.get(name, "") for name in _USER_VARIABLES), Path.home().name} - EVERYBODY:
        yield Private(PrivateKind.USER, user)
    for file in sorted(around.sys.glob("class/net/*/address")):
        with suppress(OSError):
            address = file.read_text().strip()
            if address.strip("0:"):
                yield Private(PrivateKind.HARDWARE, address)
    for name in ("machine-id", "hostname"):
        with suppress(OSError):
            kind = PrivateKind.HOST if name == "hostname" else PrivateKind.SERIAL
            yield Private(kind, (around.etc / name).read_text().strip())
    yield from _logins(around.secrets, environment)


def _users() -> Iterator[str]:
    """The one who runs this. A system without a database of users has none."""
    with suppress(ImportError, KeyError):
        user = import_module("pwd").getpwuid(os.geteuid())
        yield user.pw_name
        yield user.pw_gecos.partition(",")[0]


def _logins(file: Path, environment: Mapping[str, str]) -> Iterator[Private]:
    for name, text in environment.items():
        if name.startswith(_LOGIN):
            user, colon, password = text.partition(":")
            yield from _login(user if colon else "", password if colon else user)
    try:
        tables = parse_toml(read_text(file), str(file)) if file.exists() else {}
    except (ConfigError, FileError, OSError):
        return  # it cannot be used either; the doctor says so
    for host, table in tables.items():
        yield Private(PrivateKind.HOST, host)
        if isinstance(table, Mapping):
            yield from _login(str(table.get("user", "")), str(table.get("password", "")))


def _login(user: str, password: str) -> Iterator[Private]:
    if user not in EVERYBODY:
        yield Private(PrivateKind.USER, user)
    yield Private(PrivateKind.KEY, password)
