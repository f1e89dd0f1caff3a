"""The consumers of a configuration, as plans of the publishers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wattrail.errors import ConfigError
from wattrail.publish.delivery import MessagePlan
from wattrail.publish.home_assistant import HomeAssistantDialect
from wattrail.publish.home_assistant_history_fill import HomeAssistantHistoryPlan
from wattrail.publish.influxdb import InfluxPlan, InfluxTarget
from wattrail.publish.mqtt import MqttPlan
from wattrail.publish.mqtt_topics import PlainDialect
from wattrail.publish.p1_server import P1Plan
from wattrail.publish.pending import PublishCadence
from wattrail.publish.webhook import WebhookSender

if TYPE_CHECKING:
    from wattrail.app.publish_schema import BrokerSection, InfluxSection, P1Section, PublishSection, WebhookSection
    from wattrail.publish import ConsumerPlan
    from wattrail.publish.dialect import MqttDialect
    from wattrail.publish.report_queue import ReportPlan

__all__ = ["history_plan", "plan_consumers", "plan_messages"]


def plan_consumers(
    publish: PublishSection, meters: Sequence[str], *, configuration_url: str | None = None
) -> tuple[ConsumerPlan, ...]:
    """The plans of all consumers. ``configuration_url`` is the page, where others can reach it. Raises ConfigError."""
    return tuple(_plans(publish, meters, configuration_url))


def plan_messages(publish: PublishSection) -> tuple[MessagePlan, ...]:
    """The plans of all consumers of messages. Raises ConfigError."""
    reports = publish.report.planned()
    webhooks = tuple(_webhook(webhook, reports) for webhook in publish.webhook)
    if mail := publish.email:
        return (*webhooks, MessagePlan(name="email", sender=mail.sender(), events=mail.wanted(), reports=reports))
    return webhooks


def _plans(publish: PublishSection, meters: Sequence[str], url: str | None) -> Iterator[ConsumerPlan]:
    if section := publish.home_assistant:
        yield _broker(
            "home_assistant",
            section,
            HomeAssistantDialect(
                topic=section.topic,
                discovery_prefix=section.discovery_prefix,
                live_s=section.live_s,
                configuration_url=url,
            ),
        )
    if history := history_plan(publish):
        yield history
    if plain := publish.mqtt:
        dialect = PlainDialect(topic=plain.topic, is_flat=plain.flat, live_s=plain.live_s)
        yield _broker("mqtt", plain, dialect, change_w=plain.change_w)
    if publish.influxdb:
        yield _influx(publish.influxdb)
    if publish.p1:
        yield _p1(publish.p1, meters)
    yield from plan_messages(publish)


def history_plan(publish: PublishSection) -> HomeAssistantHistoryPlan | None:
    """What fills Home Assistant's statistics, if it is configured."""
    section, entities = publish.home_assistant_history, publish.home_assistant
    if section is None or entities is None:
        return None
    return HomeAssistantHistoryPlan(
        url=section.url, login=section.login, ca_file=_file(section.ca_file), registers_s=entities.registers_s
    )


def _file(name: str | None) -> Path | None:
    return Path(name) if name else None


def _broker(name: str, section: BrokerSection, dialect: MqttDialect, *, change_w: float = 0.0) -> MqttPlan:
    return MqttPlan(
        name=name,
        address=section.address(),
        dialect=dialect,
        cadence=PublishCadence(live_s=section.live_s, registers_s=section.registers_s, change_w=change_w),
        ca_file=_file(section.ca_file),
    )


def _influx(section: InfluxSection) -> InfluxPlan:
    return InfluxPlan(
        influx=InfluxTarget(
            url=section.url,
            version=section.version,
            database=section.database or section.bucket or "",
            org=section.org or "",
        ),
        login=section.login or urlsplit(section.url).hostname or "",
        ca_file=_file(section.ca_file),
        measurement=section.measurement,
        cadence=PublishCadence(live_s=section.live_s, registers_s=section.registers_s),
    )


def _p1(section: P1Section, meters: Sequence[str]) -> P1Plan:
    known = ", ".join(meters)
    if section.meter is None and len(meters) != 1:
        raise ConfigError(
            f"[publish.p1] has no meter, and {len(meters)} are configured",
            hint=f"a telegram is of one meter: write meter = one of {known}",
        )
    meter = section.meter or meters[0]
    if meter not in meters:
        raise ConfigError(f"[publish.p1] names an unknown meter {meter!r}; known: {known}")
    return P1Plan(meter=meter, host=section.host, port=section.port, every_s=section.every_s)


def _webhook(section: WebhookSection, reports: ReportPlan) -> MessagePlan:
    sender = WebhookSender(
        url=section.url,
        body=section.body(),
        login=section.login,
        secret=section.secret,
        ca_file=_file(section.ca_file),
    )
    return MessagePlan(name=f"webhook.{section.name}", sender=sender, events=section.wanted(), reports=reports)
