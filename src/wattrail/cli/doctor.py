"""``wattrail doctor``."""

from __future__ import annotations

import json as json_text
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from wattrail.app.config import database_of, demo_database, find_config, load_config
from wattrail.cli import output
from wattrail.cli.exits import Exit
from wattrail.cli.option_types import DatabaseOption, FoundConfigOption, Json
from wattrail.database_address import DatabaseAddress
from wattrail.errors import WattrailError

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

    found = list(examine(surroundings(config, database)))
    if json:
        print(json_text.dumps([{"check": name} | _object(finding) for name, finding in found]))
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


def surroundings(file: Path | None, database: DatabaseAddress | None) -> Surroundings:
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
        database = database_of(config) if config and config.meter else demo_database()
    return Surroundings(file=file, config=config, plan=plan, problem=problem, database=database)
