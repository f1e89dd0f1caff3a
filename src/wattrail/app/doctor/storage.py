"""Files of the gateway: configuration, logins, database; who owns them, who may read them, whether they are whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from wattrail.app.config import config_errors
from wattrail.app.doctor.finding import DoctorFinding, Surroundings, described, fine, user_name, warn, wrong
from wattrail.errors import StoreError, WattrailError
from wattrail.files import read_text
from wattrail.sanitize import printable
from wattrail.sources import Secrets
from wattrail.store import lock_holder, open_to_read

__all__ = ["check_configuration", "check_database", "check_files"]


def check_configuration(around: Surroundings) -> Iterator[DoctorFinding]:
    """Whether there is one, and it is right."""
    if around.file is None:
        yield warn("there is no wattrail.toml: a simulated meter runs", "type: wattrail init")
        return
    name = printable(str(around.file))
    try:
        errors = config_errors(read_text(around.file), name)
    except WattrailError as error:
        yield wrong(str(error), error.hint)
        return
    for problem in errors:
        yield wrong(str(problem), problem.hint or "type: wattrail config check")
    if not errors and around.problem is not None:  # a tariff, a library: what the configuration leads to
        yield wrong(str(around.problem), around.problem.hint)
    elif not errors and around.plan is not None:
        count = len(around.plan.gateway.meters)
        yield fine(f"{name}: {count} {'meter' if count == 1 else 'meters'}")


def check_files(around: Surroundings) -> Iterator[DoctorFinding]:
    """Owners and modes of the configuration, the logins and the folder of the database."""
    if around.file is not None and around.file.exists():
        mode = around.file.stat().st_mode
        if mode & stat.S_IWOTH:
            yield wrong(f"{described(around.file)}: everybody may write it", f"type: chmod o-w {around.file}")
        else:
            yield fine(described(around.file))
    if around.secrets.exists():
        try:
            # Looked up for the errors only: code that reads logins checks their file's mode and syntax.
            Secrets(file=around.secrets, environment={}, uses_keyring=False).find("")
            yield fine(described(around.secrets))
        except WattrailError as error:
            yield wrong(str(error), error.hint)
    yield from _logins_of_service(around.etc / "wattrail" / "logins.env")
    if not isinstance(around.database, Path):
        return
    folder = around.database.absolute().parent
    if not folder.exists():
        yield warn(f"{folder} is not there", "wattrail run makes it; wattrail init too")
    elif not os.access(folder, os.W_OK | os.X_OK):
        owner = user_name(folder.stat().st_uid)
        yield warn(
            f"{described(folder)}: {user_name()} cannot write there",
            f"let the gateway run as {owner}, or type: sudo chown {user_name()} {folder}",
        )
    else:
        yield fine(described(folder))
    yield from _foreign_files(around.database)


def _logins_of_service(file: Path) -> Iterator[DoctorFinding]:
    """Root alone has to read them: systemd does."""
    if not file.exists():
        return
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield wrong(f"{described(file)}: others may read its passwords", f"type: sudo chmod 600 {file}")
    else:
        yield fine(described(file))


def _foreign_files(database: Path) -> Iterator[DoctorFinding]:
    """Parts of the database, and copies of it, that belong to another user than the database."""
    if not database.exists():
        return
    owner = database.stat().st_uid
    for file in sorted(database.parent.glob(f"{database.name}*")):
        if file.stat().st_uid != owner:
            yield wrong(
                f"{described(file)}: the database belongs to {user_name(owner)}, who may be unable to write it",
                f"type: sudo chown {user_name(owner)} {file}",
            )
        if file.stat().st_mode & stat.S_IWOTH:
            yield wrong(f"{described(file)}: everybody may write it", f"type: chmod o-w {file}")


def check_database(around: Surroundings) -> Iterator[DoctorFinding]:
    """Its version, whether it is whole, and which gateway holds it."""
    if isinstance(around.database, Path) and not around.database.exists():
        yield fine(f"{around.database} is made at the first start")
        return
    try:
        holder = lock_holder(around.database)
    except StoreError as error:
        holder = None
        yield warn(str(error), error.hint or "")
    if holder is not None:
        yield fine(f"a gateway holds it: {holder}")
    try:
        with open_to_read(around.database) as reader:
            problems = reader.file_problems()
            meters = reader.meters()
    except StoreError as error:
        yield wrong(str(error), error.hint)
        return
    for problem in problems:
        yield wrong(f"{around.database}: {problem.got}", "keep a copy, and see docs/store.md, versions")
    if not problems:
        size = f", {around.database.stat().st_size / 1e6:.1f} MB" if isinstance(around.database, Path) else ""
        yield fine(f"{around.database}: whole, of this version, {_accounts(len(meters))}{size}")


def _accounts(count: int) -> str:
    return f"{count} {'account' if count == 1 else 'accounts'}"
