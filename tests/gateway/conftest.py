from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.rig import Household, StubMeter


@pytest.fixture
def meter() -> StubMeter:
    return StubMeter()


@pytest.fixture
def house(tmp_path: Path, meter: StubMeter) -> Iterator[Household]:
    household = Household(tmp_path, meter)
    yield household
    household.store.close()
