"""Boards that never were, and the command as a person types it."""

from __future__ import annotations

import pytest

from tests.cli.conftest import home, wattrail  # noqa: F401 - fixtures
from tests.image.boards import Board
from wattrail.image import Chip


@pytest.fixture(scope="session")
def n() -> Board:
    return Board(Chip.N)


@pytest.fixture(scope="session")
def t() -> Board:
    return Board(Chip.T)
