"""The pages of docs/how-to as their readers use them: blocks taken out word by word, and run at home."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.publish.broker import Heard, publishing, subscriber
from tests.publish.rig import Site, view
from tests.sources.conftest import Mosquitto
from wattrail.app import plan_service
from wattrail.app.config import parse_config
from wattrail.publish.mqtt import MqttPlan

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
METER = '[[meter]]\nname = "house"\nurl = "serial:///dev/ttyUSB0"\n'
BROKER = "192.168.1.5"
LEAVES = {"/state", "/live", "/registers"}


@dataclass(frozen=True)
class Recipe:
    """A page: its blocks by language, and its tables."""

    name: str

    @cached_property
    def blocks(self) -> list[tuple[str, str]]:
        text = (HOW_TO / f"{self.name}.md").read_text(encoding="utf-8")
        return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)

    def of(self, language: str) -> list[str]:
        """The blocks of one language, in their order."""
        return [text for found, text in self.blocks if found == language]

    def table(self, heading: str) -> list[list[str]]:
        """The rows of the table whose first column has a heading."""
        text = (HOW_TO / f"{self.name}.md").read_text(encoding="utf-8")
        rows = text.partition(f"| {heading} |")[2].split("\n\n")[0].splitlines()[2:]
        assert rows, f"no table begins with {heading}"
        return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]

    def consumer(self, mosquitto: Mosquitto) -> MqttPlan:
        """What the page's lines of wattrail.toml make, with the broker of this machine in place of the page's."""
        (text,) = self.of("toml")
        assert f'"mqtt://{BROKER}"' in text
        text = text.replace(BROKER, f"127.0.0.1:{mosquitto.port}")
        (plan,) = plan_service(parse_config(METER + text, "wattrail.toml")).consumers
        assert isinstance(plan, MqttPlan)
        return plan


@asynccontextmanager
async def followed(recipe: Recipe, site: Site, mosquitto: Mosquitto) -> AsyncIterator[Heard]:
    """Our side as the page has it, publishing a house that exports; what a subscriber to everything gets."""
    site.feed.publish(view())
    async with subscriber(mosquitto) as heard, publishing(site, recipe.consumer(mosquitto)):
        await heard.until(
            lambda: {leaf for topic, _ in heard.messages for leaf in LEAVES if topic.endswith(leaf)} == LEAVES
        )
        yield heard
