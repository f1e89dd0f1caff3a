"""The configuration of a running gateway, as the page shows and changes it.

A change is made of the text that its author saw, checked as a start would check it, written as a whole, and then taken
up by the same reload as SIGHUP. What is wrong, what somebody else changed meanwhile, and what needs a restart is
refused before anything is written.
"""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from wattrail.app.access import require_certificate
from wattrail.app.config import DATABASE_NAME, config_problems, data_dir, parse_config
from wattrail.app.first_configuration import FirstAnswers, configuration_text
from wattrail.app.plan import ServicePlan
from wattrail.app.service_changes import describe_changes, is_other_account, require_no_restart
from wattrail.app.settings_document import SettingsChange, change_text
from wattrail.app.settings_file import FileState, SettingsFile
from wattrail.app.settings_secrets import hide, hide_in_text, restore, restore_in_text
from wattrail.errors import ConfigError, WattrailError
from wattrail.gateway.plan import PlanChanges
from wattrail.toml_schema import FieldProblem

if TYPE_CHECKING:
    from wattrail.app.schema import Config

__all__ = ["Settings", "SettingsConflict", "SettingsInvalid", "Written"]

_ANSWER_FIRST_S: Final = 0.3
"""Seconds from the answer to the reload, which may start the process of the page again."""


class SettingsInvalid(ConfigError):
    """A configuration that cannot be used, with each problem at its field."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        first = problems[0]
        super().__init__(f"{first.subject}: {first.message}" if first.subject else first.message, hint=first.hint)
        self.problems = tuple(problems)


class SettingsConflict(ConfigError):
    """The file is no longer the one that was shown."""


class Written(NamedTuple):
    """What a change does, in phrases."""

    version: str
    changes: tuple[str, ...]


class RunningService(Protocol):
    """What is needed of a service that runs."""

    @property
    def plan(self) -> ServicePlan:
        """By which it runs."""
        ...

    def rename_meter(self, old: str, new: str) -> None:
        """Give an account another name while its meter is not read; waits until it is done. Raises WattrailError."""
        ...


class Settings:
    """The file of a service, and the changes of it. ``planned`` is the plan of a configuration, as at a start."""

    def __init__(self, file: SettingsFile, planned: Callable[[Config], ServicePlan]) -> None:
        self.file, self._planned = file, planned
        self._service: RunningService | None = None
        self._reload: Callable[[], object] = self._remember
        self._is_reload_due = False
        self._lock = threading.Lock()

    def follow(self, service: RunningService, reload: Callable[[], object]) -> None:
        """Belong to a service that runs; ``reload`` lets it read the file again, from any thread."""
        self._service, self._reload = service, reload
        if self._is_reload_due:
            self._is_reload_due = False
            reload()

    @property
    def is_demo(self) -> bool:
        """Whether a twin runs in place of meters."""
        return self._service is not None and self._service.plan.demo is not None

    # ---- what is there

    def tables(self) -> dict[str, Any] | None:
        """The tables without secrets; None where the text is not TOML."""
        from wattrail.app.settings_schema import settings_schema

        try:
            found: dict[str, Any] = hide(tomllib.loads(self.file.read().text), settings_schema())
        except tomllib.TOMLDecodeError:
            return None
        return found

    def text(self) -> str:
        """The text with a mark in place of each secret."""
        return hide_in_text(self.file.read().text)

    def problems(self) -> tuple[FieldProblem, ...]:
        """What is wrong with the file as it is now."""
        return _problems_of(self.file.read().text, self.file.name)

    # ---- changes

    def check(self, version: str, changes: Sequence[SettingsChange]) -> Written:
        """What changes would do; nothing is written. Raises SettingsInvalid, SettingsConflict, ConfigError."""
        state = self._seen(version)
        return self._would(state, *self._changed(state, changes))

    def check_text(self, version: str, text: str) -> Written:
        """The same for another text."""
        state = self._seen(version)
        return self._would(state, state.text, restore_in_text(text, state.text))

    def change(self, version: str, changes: Sequence[SettingsChange]) -> Written:
        """Write changes, and let the service take them up. Raises as ``check``."""
        with self._lock:
            state = self._seen(version)
            return self._write(state, *self._changed(state, changes))

    def change_text(self, version: str, text: str) -> Written:
        """Write another text, and let the service take it up. Raises as ``check``."""
        with self._lock:
            state = self._seen(version)
            return self._write(state, state.text, restore_in_text(text, state.text))

    def rename(self, version: str, old: str, new: str) -> Written:
        """Give a meter another name, in the file and in the database. Raises as ``check``, StoreError."""
        with self._lock:
            state = self._seen(version)
            if problems := _problems_of(state.text, self.file.name):
                raise SettingsInvalid(problems)
            after = change_text(state.text, _renaming(tomllib.loads(state.text), old, new))
            would = self._would(state, state.text, after)
            if self._service is None or self.is_demo:
                raise ConfigError(f"{old!r} can be renamed while its meter is read", hint="restart the gateway first")
            # The file first: where the database refuses, it can be put back.
            self.file.write(after, state)
            try:
                self._service.rename_meter(old, new)
            except WattrailError:
                self.file.write(state.text, state)
                raise
            except TimeoutError as error:  # it may be done yet, and then the file is right
                self._reload_soon()
                raise ConfigError(f"renaming {old!r} takes long", hint="look at the meters in a minute") from error
            self._reload_soon()
            return would._replace(version=self.file.read().version)

    def _seen(self, version: str) -> FileState:
        state = self.file.read()
        if version != state.version:
            raise SettingsConflict(
                f"{self.file.name} was changed after you had opened it",
                hint="load it again, compare it with what you wanted, and save once more",
            )
        return state

    def _changed(self, state: FileState, changes: Sequence[SettingsChange]) -> tuple[str, str]:
        """The text that counts as the one before, and the text after the changes."""
        if not state.is_there:
            return _first_text(changes)
        if problems := _syntax_problems(state.text, self.file.name):
            raise SettingsInvalid(problems)
        document = tomllib.loads(state.text)
        return state.text, change_text(state.text, [_with_secrets(one, document) for one in changes])

    def _would(self, state: FileState, before: str, after: str) -> Written:
        """Check everything that a start checks, and what only the page must not do."""
        # By the code of a start and no other: what is accepted here is never refused by the reload that follows.
        if problems := _problems_of(after, self.file.name):
            raise SettingsInvalid(problems)
        from wattrail.app.settings_schema import page_problems

        config = parse_config(after, self.file.name)
        # In a text that is not TOML nothing counts as allowed already.
        trusted = "" if _syntax_problems(before, self.file.name) else before
        if problems := page_problems(trusted, after, config, self.file.path.parent):
            raise SettingsInvalid(problems)
        # What a start would refuse besides: a tariff that is not there, a certificate that cannot be served.
        plan = self._planned(config)
        if plan.web is not None:
            require_certificate(plan.web)
        return Written(state.version, self._difference(plan))

    def _difference(self, after: ServicePlan) -> tuple[str, ...]:
        if self._service is None:
            return ()
        before = self._service.plan
        meters = PlanChanges.between(before.gateway, after.gateway)
        phrases = describe_changes(before, after, meters, _other_consumers(before, after))
        # Where the demonstration begins or ends, another service starts anyway.
        if not is_other_account(before, after):
            require_no_restart(before, after)
        return phrases

    def _write(self, state: FileState, before: str, after: str) -> Written:
        would = self._would(state, before, after)
        if after == state.text:
            return would
        self.file.write(after, state)
        self._reload_soon()
        return would._replace(version=self.file.read().version)

    def _reload_soon(self) -> None:
        timer = threading.Timer(_ANSWER_FIRST_S, lambda: self._reload())
        timer.daemon = True
        timer.start()

    def _remember(self) -> None:
        """The page answers a moment before its service is known here."""
        self._is_reload_due = True


def _first_text(changes: Sequence[SettingsChange]) -> tuple[str, str]:
    """The file that ``wattrail init`` would make, and what becomes of it; a first meter stands in its place."""
    adding = next((one for one in changes if one.table == "meter" and one.item is None and one.value), None)
    value = dict(adding.value or {}) if adding else {}
    first = FirstAnswers(
        meter=str(value.get("url", "")) or None,
        name=str(value.get("name", "")),
        database=data_dir() / DATABASE_NAME,
    )
    text = configuration_text(first)
    placed = [replace(one, item=0) if one is adding and first.meter else one for one in changes]
    return configuration_text(replace(first, meter=None)), change_text(text, placed)


def _with_secrets(change: SettingsChange, document: dict[str, Any]) -> SettingsChange:
    """A change with the secrets that were not sent to the page, and so do not come back from it."""
    if change.value is None:
        return change
    found: Any = document
    for step in change.path:
        found = found.get(step) if isinstance(found, dict) else None
    if change.item is not None:
        found = found[change.item] if isinstance(found, list) and 0 <= change.item < len(found) else None
    return replace(change, value=restore(dict(change.value), found if isinstance(found, dict) else None))


def _problems_of(text: str, name: str) -> tuple[FieldProblem, ...]:
    return _syntax_problems(text, name) or config_problems(text, name)


def _syntax_problems(text: str, name: str) -> tuple[FieldProblem, ...]:
    """Why a text is not TOML; at most one."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        from wattrail.toml_schema.lines import error_position

        line, column = error_position(error, text)
        what = str(error).partition(" (at ")[0]
        return (
            FieldProblem((), line, f"line {line}, column {column}: {what[:1].lower()}{what[1:]}",
                         "text stands in quotes, numbers do not, and every [[meter]] begins a new one"),
        )  # fmt: skip
    return ()


def _other_consumers(before: ServicePlan, after: ServicePlan) -> tuple[str, ...]:
    old, new = ({one.name: one for one in plan.consumers} for plan in (before, after))
    return tuple(name for name in {**old, **new} if old.get(name) != new.get(name))


def _renaming(document: dict[str, Any], old: str, new: str) -> list[SettingsChange]:
    """The name itself, and whatever names the meter. Raises ConfigError where there is none, or it is a member."""
    meters = document.get("meter", [])
    if not any(meter.get("name") == old for meter in meters):
        raise ConfigError(f"there is no meter {old!r} in the file", hint="load the settings again")
    changes = []
    for table, fields in (("meter", ("name",)), ("alarm", ("meter", "meters"))):
        for index, item in enumerate(document.get(table, [])):
            changed = item | {field: _renamed(item[field], old, new) for field in fields if field in item}
            if changed != item:
                changes.append(SettingsChange(table=table, item=index, value=changed))
    publish = document.get("publish", {})
    for table, found, fields in (
        ("site", document.get("site", {}), ("grid", "solar")),
        ("publish.p1", publish.get("p1", {}), ("meter",)),
    ):
        changed = found | {field: _renamed(found[field], old, new) for field in fields if field in found}
        if changed != found:
            changes.append(SettingsChange(table=table, value=changed))
    return changes


def _renamed(value: object, old: str, new: str) -> object:
    if isinstance(value, list):
        return [new if one == old else one for one in value]
    return new if value == old else value
