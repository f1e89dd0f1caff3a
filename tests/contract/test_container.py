"""The container: as a stranger runs it, with a page that answers inside and a stop that books everything.

``make package`` builds the image; CONTAINER names the program that runs it, such as docker or podman.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

RUNNER = os.environ.get("CONTAINER", "")
pytestmark = pytest.mark.skipif(not RUNNER, reason="CONTAINER names no program that runs containers")

HEALTH = """
import time
from urllib.request import urlopen
for _ in range(600):
    try:
        print(urlopen("http://127.0.0.1:8042/api/v1/health", timeout=4).read().decode())
        break
    except OSError:
        time.sleep(0.1)  # another program starts, and says nothing
"""


def container(*words: str, code: int | None = 0) -> str:
    done = subprocess.run([RUNNER, *words], capture_output=True, text=True, timeout=120, check=False)
    assert code is None or done.returncode == code, done
    return done.stdout


@pytest.fixture
def running() -> Iterator[str]:
    name = container("run", "-d", "wattrail").strip()
    yield name
    container("rm", "-f", "-v", name, code=None)


def test_it_runs_as_its_own_user_answers_and_stops_with_exit_code_0(running: str) -> None:
    assert container("exec", running, "id", "-u").strip() == "10001"
    healthy = 'until python3 -c "$0" 2>/dev/null; do read -t 1 _ < /dev/zero; done'
    container("exec", running, "timeout", "60", "bash", "-c", healthy, HEALTH)
    health = json.loads(container("exec", running, "python3", "-c", HEALTH))
    assert health["simulated"]
    container("stop", running)
    assert container("inspect", "-f", "{{.State.ExitCode}}", running).strip() == "0"
