"""The ``[publish]`` tables of ``wattrail.toml``: each consumer is off until its table stands there."""

from __future__ import annotations

import re
from datetime import time
from email.errors import HeaderParseError
from email.headerregistry import Address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from wattrail.errors import ConfigError
from wattrail.files import read_text
from wattrail.toml_schema import field_error
from wattrail.toml_schema.section import FILE, METER, WRITE_ONLY, Section
from wattrail.urls import MQTT_PORTS

if TYPE_CHECKING:
    from wattrail.publish.email import EmailSender
    from wattrail.publish.report_queue import ReportPlan
    from wattrail.publish.template import BodyTemplate
    from wattrail.sources.broker import BrokerAddress

__all__ = [
    "EmailSection",
    "HomeAssistantHistorySection",
    "HomeAssistantSection",
    "InfluxSection",
    "MqttSection",
    "OpenMetricsSection",
    "P1Section",
    "PublishSection",
    "ReportSection",
    "WebhookSection",
    "existing_file",
]

_SMTP_PORTS = {"smtp": 587, "smtps": 465}


def _checked_url(text: str, *schemes: str, example: str) -> str:
    parts = urlsplit(text)
    if "@" in parts.netloc:
        raise ValueError("must not contain a user or a password; store them by docs/sources.md, credentials")
    try:
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        has_port = False
    if parts.scheme not in schemes or not parts.hostname or not has_port or parts.query or parts.fragment:
        raise ValueError(f"must be like {example}, got {text!r}")
    return text


def _broker(text: str) -> str:
    checked = _checked_url(text, "mqtt", "mqtts", example="mqtt://192.168.1.5 or mqtts://broker.lan:8883")
    if urlsplit(checked).path.strip("/"):
        raise ValueError(f"must end with host or port, got {text!r}; the topic has a field of its own")
    return checked


def _web(text: str) -> str:
    return _checked_url(text, "http", "https", example="http://192.168.1.5:8086")


def _home_assistant(text: str) -> str:
    return _checked_url(text, "http", "https", example="http://192.168.1.5:8123").rstrip("/")


def _time_of_day(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(f"must be a local time such as 07:00, got {text!r}")
    return text


def _smtp(text: str) -> str:
    checked = _checked_url(text, "smtp", "smtps", example="smtp://mail.lan:587 or smtps://smtp.example.org")
    if urlsplit(checked).path.strip("/"):
        raise ValueError(f"must end with host or port, got {text!r}")
    return checked


def _address(text: str) -> str:
    try:
        is_one = bool(Address(addr_spec=text).domain)
    except (ValueError, IndexError, HeaderParseError):
        is_one = False
    if not is_one or not text.isascii() or any(character <= " " for character in text):
        raise ValueError(f"must be an address such as owner@example.org, got {text!r}")
    return text


def _webhook_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", text):
        raise ValueError("must be letters, digits, - and _, 40 at most")
    return text


def _topic(text: str) -> str:
    # No message may be sent to + and #, which stand for many topics.
    # Topics that begin with $ belong to the broker itself: MQTT 5.0, 4.7.
    if not text or text != text.strip("/") or text.startswith("$") or {"+", "#", "\0"} & set(text) or len(text) > 200:
        raise ValueError(f"must be a topic such as home/meters: no + or #, no / at its ends, got {text!r}")
    return text


def existing_file(text: str) -> str:
    """The path of a file that is there, unchanged. Raises ValueError."""
    # Said now, and not when it is first needed.
    if not Path(text).is_file():
        raise ValueError(f"there is no file {text!r}")
    return text


Topic = Annotated[str, AfterValidator(_topic)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Login = Annotated[Text | None, Field(description="Name of its user and password in the file for logins.")]
LiveSeconds = Annotated[float, Field(ge=1, le=3600, description="Seconds between live values.")]
RegisterSeconds = Annotated[float, Field(ge=5, le=3600, description="Seconds between registers.")]
CaFile = Annotated[
    Annotated[str, AfterValidator(existing_file), FILE] | None,
    Field(description="PEM file of the authority, for a certificate of your own."),
]


class BrokerSection(Section):
    """What every consumer behind a broker has. ``login`` is the name of its user and password; the host if left out."""

    broker: Annotated[str, AfterValidator(_broker)]
    """MQTT broker, such as mqtt://192.168.1.5."""
    login: Login = None
    ca_file: CaFile = None
    live_s: LiveSeconds = 10.0
    registers_s: RegisterSeconds = 60.0

    def address(self) -> BrokerAddress:
        """Where the broker is."""
        from wattrail.sources.broker import BrokerAddress  # with the library of the web sources

        parts = urlsplit(self.broker)
        host = parts.hostname or ""
        return BrokerAddress(host, parts.port or MQTT_PORTS[parts.scheme], parts.scheme == "mqtts", self.login or host)


class HomeAssistantSection(BrokerSection):
    """``[publish.home_assistant]``."""

    topic: Topic = "wattrail"
    """Topic below which everything is sent."""
    discovery_prefix: Topic = "homeassistant"
    """Topic under which Home Assistant looks for devices."""


class HomeAssistantHistorySection(Section):
    """``[publish.home_assistant_history]``. ``login`` is the name of its token."""

    url: Annotated[str, AfterValidator(_home_assistant)]
    """Address of Home Assistant, such as http://192.168.1.5:8123."""
    login: Text = "home_assistant"
    """Name of its token in the file for logins."""
    ca_file: CaFile = None


class MqttSection(BrokerSection):
    """``[publish.mqtt]``."""

    topic: Topic = "meters"
    """Topic below which everything is sent."""
    flat: bool = False
    """A topic for each value, in place of JSON."""
    change_w: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """Watts by which the power must change to be sent at once."""


class OpenMetricsSection(Section):
    """``[publish.openmetrics]``."""

    kwh: bool = False
    """Registers in kWh too."""


class InfluxSection(Section):
    """``[publish.influxdb]``: ``database`` for versions 1 and 3, ``org`` and ``bucket`` for version 2."""

    url: Annotated[str, AfterValidator(_web)]
    """Address of InfluxDB, such as http://192.168.1.5:8086."""
    version: Literal[1, 2, 3]
    """Version of InfluxDB."""
    database: Text | None = None
    """Database, of versions 1 and 3."""
    org: Text | None = None
    """Organisation, of version 2."""
    bucket: Text | None = None
    """Bucket, of version 2."""
    login: Login = None
    ca_file: CaFile = None
    measurement: Text = "meter"
    """Name of the measurement."""
    live_s: LiveSeconds = 10.0
    registers_s: RegisterSeconds = 60.0

    @model_validator(mode="after")
    def _names_its_database(self) -> Self:
        wanted, other = (("org", "bucket"), ("database",)) if self.version == 2 else (("database",), ("org", "bucket"))
        for name in wanted:
            if getattr(self, name) is None:
                raise field_error((name,), f"version {self.version} needs {' and '.join(wanted)}")
        for name in other:
            if getattr(self, name) is not None:
                raise field_error((name,), f"version {self.version} has no {name}; it needs {' and '.join(wanted)}")
        return self


class P1Section(Section):
    """``[publish.p1]``."""

    meter: Annotated[Text, METER] | None = None
    """Meter that is sent; the only one if left out."""
    # P1 knows no password: what listens on the network is read by all of it.
    host: Text = "127.0.0.1"
    """Address at which readers of P1 connect."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8043
    """Its TCP port."""
    every_s: Literal[1, 10] = 10
    """Seconds from one telegram to the next."""


class MessageSection(Section):
    """What every consumer of messages has. ``login`` is the name of its user and password, or of its token."""

    events: Annotated[list[Literal["alarms", "daily", "monthly"]], Field(min_length=1)]
    """What is sent: alarms, daily and monthly reports."""
    login: Login = None
    ca_file: CaFile = None

    def wanted(self) -> frozenset[str]:
        """What it is sent."""
        return frozenset(self.events)


class WebhookSection(MessageSection):
    """``[[publish.webhook]]``: ``secret`` is the name of the secret that signs."""

    name: Annotated[str, AfterValidator(_webhook_name)]
    """Name of the webhook."""
    url: Annotated[str, Field(min_length=1, max_length=2000), WRITE_ONLY]
    """Address of the webhook. It may hold a password, so it is not shown."""
    secret: Text | None = None
    """Name of the secret that signs, in the file for logins."""
    preset: Literal["ntfy", "gotify", "slack", "discord"] | None = None
    """Service whose format is used."""
    template: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    """Template of the body."""
    format: Literal["json", "text"] = "json"
    """Format of the template."""

    @model_validator(mode="after")
    def _has_a_url(self) -> Self:
        """The error does not quote the URL: the path of many a webhook is a password."""
        example = "https://ntfy.sh/my-meters"
        try:
            # Without its query: many a webhook needs one, the other URLs must not have any.
            _checked_url(urlsplit(self.url)._replace(query="").geturl(), "http", "https", example=example)
        except ValueError as error:
            is_login = "@" in urlsplit(self.url).netloc
            raise field_error(("url",), str(error) if is_login else f"must be like {example}") from error
        if not self.url.isascii() or any(character <= " " for character in self.url):
            raise field_error(("url",), "must be ASCII without spaces", hint="write others as %20")
        return self

    @model_validator(mode="after")
    def _has_one_body(self) -> Self:
        if self.preset and self.template:
            raise field_error(("template",), f"preset = {self.preset!r} has a template of its own", hint="keep one")
        if "format" in self.model_fields_set and not self.template:
            raise field_error(
                ("format",), "belongs to a template, and there is none", hint="add template, or remove it"
            )
        try:
            self.body()
        except ConfigError as error:
            raise field_error(("template",), str(error), hint=error.hint) from error
        return self

    def body(self) -> BodyTemplate:
        """What its bodies look like. Raises ConfigError."""
        from wattrail.publish.template import PRESETS, BodyTemplate

        if self.preset:
            return PRESETS[self.preset]
        return BodyTemplate(template=self.template or "", is_json=self.format == "json")


class EmailSection(MessageSection):
    """``[publish.email]``: ``server`` is ``smtp://`` with STARTTLS, or ``smtps://`` with TLS from the first byte."""

    server: Annotated[str, AfterValidator(_smtp)]
    """Mail server, such as smtp://mail.lan:587 or smtps://smtp.example.org."""
    from_: Annotated[str, AfterValidator(_address), Field(alias="from")]
    """Address of the sender."""
    to: Annotated[list[Annotated[str, AfterValidator(_address)]], Field(min_length=1, max_length=50)]
    """Addresses of those who get it."""
    tls: Literal["none"] | None = None
    """none sends it unencrypted."""

    @model_validator(mode="after")
    def _keeps_a_password_secret(self) -> Self:
        if self.tls and self.server.startswith("smtps:"):
            raise field_error(("tls",), "an smtps:// server has TLS", hint="remove tls, or write smtp://")
        if self.tls and self.login:
            raise field_error(("login",), 'with tls = "none" its password would be sent unencrypted', hint="remove one")
        return self

    def sender(self) -> EmailSender:
        """How its messages are sent."""
        from wattrail.publish.email import EmailSender

        parts = urlsplit(self.server)
        is_implicit = parts.scheme == "smtps"
        return EmailSender(
            host=parts.hostname or "",
            port=parts.port or _SMTP_PORTS[parts.scheme],
            tls="implicit" if is_implicit else (self.tls or "starttls"),
            sender=self.from_,
            to=tuple(self.to),
            login=self.login,
            ca_file=Path(self.ca_file) if self.ca_file else None,
        )


class ReportSection(Section):
    """``[publish.report]``: when the daily and monthly reports are sent, and what a month costs."""

    at: Annotated[str, AfterValidator(_time_of_day)] = "00:15"
    """Local time at which reports are sent."""
    tariff: Annotated[str, AfterValidator(existing_file), FILE] | None = None
    """Tariff file by which a month is priced."""

    def planned(self) -> ReportPlan:
        """What all consumers of reports have in common. Raises ConfigError."""
        from wattrail.app.tariff_file import parse_tariff
        from wattrail.publish.report_queue import ReportPlan

        path = Path(self.tariff) if self.tariff else None
        tariff = parse_tariff(read_text(path), str(path), folder=path.absolute().parent) if path else None
        return ReportPlan(at=time.fromisoformat(self.at), tariff=tariff)


class PublishSection(Section):
    """``[publish]``: one table for each consumer."""

    home_assistant: HomeAssistantSection | None = None
    home_assistant_history: HomeAssistantHistorySection | None = None
    mqtt: MqttSection | None = None
    openmetrics: OpenMetricsSection | None = None
    influxdb: InfluxSection | None = None
    p1: P1Section | None = None
    webhook: list[WebhookSection] = Field(default_factory=list)
    email: EmailSection | None = None
    report: ReportSection = ReportSection()

    @model_validator(mode="after")
    def _webhooks_named_once(self) -> Self:
        names = [webhook.name for webhook in self.webhook]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise field_error(("webhook", index, "name"), f"a second webhook is named {name!r}")
        return self

    @model_validator(mode="after")
    def _history_has_entities(self) -> Self:
        if self.home_assistant_history and not self.home_assistant:
            raise field_error(
                ("home_assistant_history",), "needs [publish.home_assistant], which makes the entities it fills"
            )
        return self

    @model_validator(mode="after")
    def _topics_apart(self) -> Self:
        one, other = self.home_assistant, self.mqtt
        # Each would overwrite what the other has published.
        if one and other and one.broker == other.broker and one.topic == other.topic:
            raise field_error(
                ("mqtt", "topic"), f"{other.topic!r} is the topic of home_assistant too", hint="give each its own"
            )
        return self
