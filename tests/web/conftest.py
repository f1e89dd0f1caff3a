"""Real servers in processes of their own, and a real browser before them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, Page, expect, sync_playwright

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots" if "SCREENSHOTS" in os.environ else None
"""Pictures are for people: ``make screenshots`` takes them. No test looks at one, and a large page takes seconds."""

STAGE = Path(__file__).with_name("stage.py")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

WAIT_MS = 60_000
"""How long a page may take to show something, on a machine that does ten other things; it ends with what is shown."""

expect.set_options(timeout=WAIT_MS)

Server = subprocess.Popen[str]


@contextmanager
def served(scene: str, folder: Path) -> Iterator[tuple[str, Server]]:
    """A scene in a process of its own: its address, and the process."""
    server = subprocess.Popen(
        [sys.executable, "-W", "error", str(STAGE), scene, str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
    )  # fmt: skip
    assert server.stdout is not None
    assert server.stderr is not None
    try:
        address = server.stdout.readline().strip()
        assert address, server.stderr.read()
        yield address, server
    finally:
        if server.poll() is None:
            server.terminate()
            server.communicate(timeout=60)
        server.stdout.close()
        server.stderr.close()


def photograph(page: Page, name: str, *, full_page: bool = True) -> None:
    """Let a page draw itself as it stands now, and keep a picture of it where they are wanted."""
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    if SCREENSHOTS is not None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take a millisecond, where a test is not about them: the real ones take 64 MiB and four cores."""
    quick = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    monkeypatch.setattr("wattrail.access.passwords._HASHER", quick)
    monkeypatch.setattr("wattrail.access.passwords._unknown", "")


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The address of a scene, which is served until the last test is done."""
    open_scenes: dict[str, tuple[str, object]] = {}

    def play(name: str) -> str:
        if name not in open_scenes:
            performance = served(name, tmp_path_factory.mktemp(name))
            address, _ = performance.__enter__()
            open_scenes[name] = (address, performance)
        return open_scenes[name][0]

    yield play
    for _, performance in open_scenes.values():
        performance.__exit__(None, None, None)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")  # not longer: while Playwright runs, this thread has a running event loop
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.fail("the page is tested in a real browser: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        chromium.on("context", lambda context: context.set_default_timeout(WAIT_MS))
        yield chromium
        chromium.close()
