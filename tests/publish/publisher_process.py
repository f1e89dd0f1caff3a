"""Publishes to Home Assistant until it is killed: python -m tests.publish.publisher_process FOLDER PORT."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.publish.broker import QUICK
from tests.publish.rig import Site, view
from wattrail.publish.home_assistant import HomeAssistantDialect
from wattrail.publish.mqtt import MqttPlan
from wattrail.sources.broker import BrokerAddress


async def main(folder: Path, port: int) -> None:
    site = Site(folder)
    site.feed.publish(view())
    address = BrokerAddress("127.0.0.1", port)
    plan = MqttPlan(name="home_assistant", address=address, dialect=HomeAssistantDialect(), pacing=QUICK)
    site.board.add(plan.name, plan.target)
    publish = plan.publisher(site.context())
    await publish(site.feed.subscribe("killed"))  # type: ignore[misc]


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
