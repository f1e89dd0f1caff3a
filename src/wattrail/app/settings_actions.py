"""What the page may do with the settings, as actions of ``page_actions``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from wattrail.app.discovered import configured_meters, proposed
from wattrail.app.settings import Settings, SettingsConflict, SettingsInvalid, Written
from wattrail.app.settings_document import SettingsChange
from wattrail.app.settings_schema import settings_schema
from wattrail.errors import ConfigError, WattrailError
from wattrail.sanitize import hide_credentials
from wattrail.sources.discovery import SearchPlan, search
from wattrail.toml_schema import FieldProblem
from wattrail.transport.discovery import list_candidates, without_device
from wattrail.web.problems import ProblemDetails, RequestRefused

if TYPE_CHECKING:
    from wattrail.web.gateway_calls import Action

__all__ = ["settings_actions"]

_SEARCH_S: Final = 4.0
_SEARCH_WITHIN_S: Final = 20.0
# One search at a time: each asks every device of the network.
_searching: Final = threading.Lock()


def settings_actions(settings: Settings | None) -> dict[str, Action]:
    """The actions by name; without settings each says that there is no file."""
    actions: dict[str, Callable[[Settings, Mapping[str, Any]], object]] = {
        "settings.show": lambda found, _: _shown(found),
        "settings.schema": lambda _found, _: settings_schema(),
        "settings.text": lambda found, _: {"version": found.file.read().version, "text": found.text()},
        "settings.check": lambda found, given: _written(found.check(given["version"], _changes(given))),
        "settings.change": lambda found, given: _written(found.change(given["version"], _changes(given))),
        "settings.check_text": lambda found, given: _written(found.check_text(given["version"], given["text"])),
        "settings.change_text": lambda found, given: _written(found.change_text(given["version"], given["text"])),
        "settings.rename": lambda found, given: _written(found.rename(given["version"], given["old"], given["new"])),
        "settings.discover": lambda found, given: _discovered(found, on_network=given["network"]),
    }

    def action(name: str) -> Action:
        return lambda arguments: _carried_out(settings, actions[name], arguments)

    return {name: action(name) for name in actions}


def _carried_out(
    settings: Settings | None, work: Callable[[Settings, Mapping[str, Any]], object], arguments: Mapping[str, Any]
) -> object:
    """The result of an action, with what is wrong as a problem at its field."""
    if settings is None:
        raise RequestRefused(ProblemDetails("unavailable", "this gateway runs without a configuration file"))
    try:
        return work(settings, arguments)
    except SettingsConflict as error:
        raise RequestRefused(ProblemDetails("conflict", str(error), error.hint)) from error
    except SettingsInvalid as error:
        more = {"errors": [_problem(one) for one in error.problems]}
        raise RequestRefused(ProblemDetails("invalid", hide_credentials(str(error)), error.hint, more=more)) from error
    except ConfigError as error:
        raise RequestRefused(ProblemDetails("invalid", hide_credentials(str(error)), error.hint)) from error


def _problem(problem: FieldProblem) -> dict[str, object]:
    """One problem; ``where`` leads to the field, ``meter.0.url``."""
    return {
        "where": ".".join(map(str, problem.path)), "message": hide_credentials(problem.message), "line": problem.line,
        "hint": problem.hint,
    }  # fmt: skip


def _shown(settings: Settings) -> dict[str, object]:
    state = settings.file.read()
    return {
        "file": settings.file.name, "is_there": state.is_there, "version": state.version, "tables": settings.tables(),
        "problems": [_problem(one) for one in settings.problems()],
        "read_only": settings.file.why_not_writable(), "backup": str(settings.file.backup),
        "simulated": settings.is_demo,
    }  # fmt: skip


def _written(written: Written) -> dict[str, object]:
    return {
        "version": written.version, "changes": [hide_credentials(one) for one in written.changes],
    }  # fmt: skip


def _changes(given: Mapping[str, Any]) -> Sequence[SettingsChange]:
    return [SettingsChange(table=one["table"], item=one["item"], value=one["value"]) for one in given["changes"]]


def _discovered(settings: Settings, *, on_network: bool) -> dict[str, object]:
    """Ports of this machine, and if asked for meters of its network; what is configured already is left out."""
    configured = configured_meters(settings.tables() or {})
    ports = [one for one in list_candidates() if not any(url.startswith(one.url) for url in configured)]
    found: dict[str, object] = {
        "ports": [{"url": one.url, "description": one.description, "carries": one.carries} for one in ports],
        "hidden": [one.words() for one in without_device()], "network": [], "actions": [], "problems": [],
    }  # fmt: skip
    if on_network:
        found |= _on_network(configured)
    return found


def _on_network(configured: Mapping[str, str]) -> dict[str, object]:
    if not _searching.acquire(blocking=False):
        raise RequestRefused(ProblemDetails("unavailable", "somebody else searches the network now"))
    try:
        plan = SearchPlan(mdns=True, ssdp=True, seconds=_SEARCH_S)
        findings = asyncio.run(asyncio.wait_for(search(plan), _SEARCH_WITHIN_S))
    except TimeoutError:
        raise RequestRefused(ProblemDetails("unavailable", f"no end after {_SEARCH_WITHIN_S:.0f} s")) from None
    except WattrailError as error:
        return {"problems": [str(error)]}
    finally:
        _searching.release()
    meters, _ = proposed(findings.meters, configured)
    return {
        "network": [
            {"name": one.name, "url": one.url, "description": one.title, "measures": list(one.measures),
             "simulated": one.simulated}
            for one in meters
        ],
        "actions": findings.actions, "problems": findings.problems,
    }  # fmt: skip
