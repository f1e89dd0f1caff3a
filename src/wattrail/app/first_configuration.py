"""The first ``wattrail.toml`` and the file for logins beside it, as text, of what a person has answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

__all__ = ["FirstAnswers", "configuration_text", "logins_text", "secrets_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswers:
    """What was answered. None for a meter or a broker is "not yet"; for the zone, that of the machine."""

    meter: str | None = None
    name: str = "house"
    confirmed: str | None = None
    timezone: str | None = None
    database: Path
    broker: str | None = None


_HEAD: Final = """\
# wattrail: which meters are read, and where their readings go.
# docs/configuration.md has every field. After a change: wattrail config check, then wattrail reload.
"""
_NO_METER: Final = """\
# No meter yet: a simulated one runs until the first [[meter]] stands here. 'wattrail discover' finds some.
# [[meter]]
# name = "house"                             # its account is kept under this name
# url = "serial:///dev/ttyUSB0?baud=4800"    # or spi:///dev/spidev0.0, openbeken://192.168.1.20, ...: docs/cli.md
"""
_NO_BROKER: Final = """\
# For Home Assistant, by its MQTT broker; docs/publish.md has the other programs.
# [publish.home_assistant]
# broker = "mqtt://192.168.1.5"
"""
_SITE: Final = """\
# grid = "house"                             # the meter between house and grid
# solar = "roof"                             # the meter behind the roof
# tariffs = ["/etc/wattrail/tariff.toml"]    # what energy costs: docs/ledger.md
# names = ["meters.example.org"]             # of the page, beside the machine's own name
# trusted_proxies = ["127.0.0.1"]            # reverse proxies in front of the page
# certificate = "/etc/wattrail/fullchain.pem"
# key = "/etc/wattrail/privkey.pem"          # mode 0600, owned by the user of the gateway
"""
_KEPT: Final = """\
# keep_readings = "14 days"                  # or "3 months", "for ever"
# keep_minutes = "90 days"
# keep_quarter_hours = "3 years"
# keep_hours = "for ever"
# keep_days = "for ever"
"""
_WEB: Final = """\
# The page. Other machines need a user first: wattrail user add NAME --scope admin; docs/security.md
# [web]
# host = "0.0.0.0"                           # 127.0.0.1 is for this machine alone
# port = 8042
"""
_LOG: Final = """\
# [log]
# level = "warning"                          # or "error", "info", "debug"
# format = "text"                            # or "json"
# redact = false                             # true: no address, name or key in it, for a log that others read
"""


def configuration_text(answers: FirstAnswers) -> str:
    """The configuration, with a comment for each thing that a person may want to change."""
    tables = [_HEAD, _meter(answers)]
    if answers.confirmed:
        tables.append(
            "[safety]\n# How the wires to the meters are kept off the mains: docs/safety.md\n"
            f"confirmed = {_quoted(answers.confirmed)}\n"
        )
    zone = f"timezone = {_quoted(answers.timezone)}\n" if answers.timezone else '# timezone = "Europe/Berlin"\n'
    tables.append(f"[site]\n# Where days begin and end; the zone of the machine if left out.\n{zone}{_SITE}")
    tables.append(
        "[store]\n# The database: every reading of two weeks, and the ledgers for ever. Back it up.\n"
        '# In place of path, a server: url = "postgresql://host/database"; docs/store.md\n'
        f"path = {_quoted(str(answers.database))}\n{_KEPT}"
    )
    tables += [_WEB, _LOG]
    tables.append(_broker(answers.broker))
    return "\n".join(tables)


def _meter(answers: FirstAnswers) -> str:
    if answers.meter is None:
        return _NO_METER
    return (
        f"[[meter]]\n# Its account is kept under this name.\nname = {_quoted(answers.name)}\n"
        f"url = {_quoted(answers.meter)}\n"
    )


def _broker(broker: str | None) -> str:
    if broker is None:
        return _NO_BROKER
    return (
        "[publish.home_assistant]\n# User and password stand in the file for logins, under the name of the host.\n"
        f"broker = {_quoted(broker)}\n"
    )


def secrets_text(broker: str | None) -> str:
    """The secrets file: an example of a table, commented out."""
    host = (urlsplit(broker).hostname if broker else None) or "broker.lan"
    return (
        "# Users and passwords of brokers and meters, a table for each, named after its host. Keep the mode at 0600.\n"
        f"# [{_quoted(host)}]\n"
        '# user = "wattrail"\n'
        '# password = ""\n'
    )


def logins_text(broker: str | None) -> str:
    """The same for a system service, as the environment that systemd gives it."""
    host = (urlsplit(broker).hostname if broker else None) or "broker.lan"
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in host.upper())
    return (
        "# Logins of brokers and meters, a line each: WATTRAIL_LOGIN_ and the host in capitals, the rest as _.\n"
        "# Owner root, mode 0600; systemd reads it. After a change: systemctl restart wattrail.\n"
        f"# WATTRAIL_LOGIN_{name}=user:password\n"
    )


def _quoted(text: str) -> str:
    """A TOML string: JSON's escapes are a part of TOML's."""
    # but for DEL, which JSON takes as it is and TOML does not
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
