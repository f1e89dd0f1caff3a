"""Starts the gateway in an add-on: the options of Home Assistant, its broker, and a first wattrail.toml.

The configuration is made once, at the first start, and belongs to the owner from then on. The login of the broker
add-on may change with every start, so it is given as environment and stored nowhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

OPTIONS = Path("/data/options.json")
CONFIG = Path("/config/wattrail.toml")
DATABASE = Path("/data/wattrail/wattrail.sqlite")
SUPERVISOR = "http://supervisor"


def broker(address: str = SUPERVISOR, token: str | None = None) -> dict[str, str] | None:
    """The broker that the Supervisor knows: host, port, username, password. None without one."""
    token = os.environ.get("SUPERVISOR_TOKEN", "") if token is None else token
    request = Request(f"{address}/services/mqtt", headers={"Authorization": f"Bearer {token}"})
    try:
        with urlopen(request, timeout=10) as answer:
            data = json.load(answer).get("data") or {}
    except (OSError, ValueError) as error:
        sys.stderr.write(f"no broker of Home Assistant: {error}\n")
        return None
    return {name: str(data.get(name) or "") for name in ("host", "port", "username", "password")} if data else None


def init_command(options: dict[str, object], found: dict[str, str] | None) -> list[str]:
    """What makes the first configuration."""
    command = ["wattrail", "init", "--config", str(CONFIG), "--database", str(DATABASE)]
    command += ["--meter", str(options.get("meter") or "none")]
    command += ["--broker", f"mqtt://{found['host']}:{found['port']}" if found else "none"]
    if (confirmed := str(options.get("confirmed") or "none")) != "none":
        command += ["--confirmed", confirmed]
    return command


def run_command(options: dict[str, object]) -> list[str]:
    """What runs the gateway."""
    # Without --database: a simulated meter has one of its own, beside that of the configuration.
    command = ["wattrail", "run", "--config", str(CONFIG)]
    # In an add-on 127.0.0.1 is its container alone; whether the port is open is an option of the add-on too.
    command += ["--host", "0.0.0.0", "--wait-for-user", "--no-open"] if options.get("page") else ["--no-web"]
    return command + {"debug": ["--debug"], "info": ["-v"]}.get(str(options.get("log_level")), [])


def login_variable(found: dict[str, str]) -> dict[str, str]:
    """The login of the broker, as the gateway looks it up: by the name of the host."""
    if not found["username"]:
        return {}
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in found["host"].upper())
    return {f"WATTRAIL_LOGIN_{name}": f"{found['username']}:{found['password']}"}


def users() -> list[str]:
    """The users that the page knows; none without a database."""
    command = ["wattrail", "user", "list", "--json", "--config", str(CONFIG)]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return [user["name"] for user in json.loads(said.stdout)] if said.returncode == 0 else []


def user_command(name: str, known: list[str]) -> list[str]:
    """What makes the user, or sets the password of one that is there; it reads the password from stdin."""
    words = ["passwd", name] if name in known else ["add", name, "--scope", "admin"]
    return ["wattrail", "user", *words, "--config", str(CONFIG)]


def let_in(options: dict[str, object]) -> None:
    """Make the user of the options. Meters are read also where that fails, and the page lets nobody in."""
    name, password, known = str(options.get("user") or ""), str(options.get("password") or ""), users()
    if name and password:
        made = subprocess.run(user_command(name, known), input=f"{password}\n", text=True, check=False).returncode == 0
        if not made:
            sys.stderr.write("the user of the page could not be made: see the line before\n")
    elif not known:
        sys.stderr.write("nobody can sign in to the page: fill in user and password in the options, and restart\n")


def main() -> None:
    """Run until the Supervisor stops it."""
    options = json.loads(OPTIONS.read_text(encoding="utf-8"))
    found = broker()
    if found:
        os.environ |= login_variable(found)
    if not CONFIG.exists():
        subprocess.run(init_command(options, found), stdin=subprocess.DEVNULL, check=True)
    if options.get("page"):
        let_in(options)
    command = run_command(options)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
