"""Network meters by URL: OpenBeken and Tasmota over HTTP and MQTT, and whatever else publishes on MQTT.

    pool = BrokerPool()
    source = open_source("openbeken://192.168.1.20", pool=pool)
    reading = await source.read()

Asyncio throughout: one event loop carries thousands of them. What each scheme can and cannot know: docs/sources.md.
"""

from wattrail.credentials import Secrets
from wattrail.sources.broker import BrokerPool
from wattrail.sources.locating import MeterLocator
from wattrail.sources.opening import POLL_S, check_source_url, is_polled, is_source, open_source
from wattrail.sources.source import MeterSource, SourceCadence

__all__ = [
    "POLL_S",
    "BrokerPool",
    "MeterLocator",
    "MeterSource",
    "Secrets",
    "SourceCadence",
    "check_source_url",
    "is_polled",
    "is_source",
    "open_source",
]  # fmt: skip
