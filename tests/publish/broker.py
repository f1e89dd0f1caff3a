"""A real broker on loopback, a subscriber that waits for what it expects, and a publisher that runs beside them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.publish.rig import Site
from tests.sources.conftest import Mosquitto
from wattrail.gateway import Subscription
from wattrail.publish.mqtt import MqttPacing, MqttPlan
from wattrail.publish.pending import PublishCadence

DEADLINE_S = 60.0
QUICK = MqttPacing(tick_s=0.02, settle_s=0.02, birth_delay_s=0.02, first_retry_s=0.02)
EVERY = PublishCadence(live_s=0.0, registers_s=0.0)


@dataclass
class Heard:
    """What a subscriber got, in order; an empty payload is a topic that was cleared."""

    client: aiomqtt.Client
    messages: list[tuple[str, str]] = field(default_factory=list)

    def newest(self, topic: str) -> str | None:
        return next((payload for at, payload in reversed(self.messages) if at == topic), None)

    def of(self, topic: str) -> list[Any]:
        """Every message of a topic, as JSON."""
        return [json.loads(payload) for at, payload in self.messages if at == topic and payload]

    async def until(self, condition: Callable[[], object]) -> None:
        """Until a condition holds, which is looked at after each message."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await self.one()

    async def one(self) -> None:
        message = await anext(self.client.messages)
        assert isinstance(message.payload, bytes)
        self.messages.append((message.topic.value, message.payload.decode()))

    async def until_topic(self, topic: str, payload: str) -> None:
        await self.until(lambda: self.newest(topic) == payload)


@asynccontextmanager
async def subscriber(
    mosquitto: Mosquitto, *filters: str, is_known: bool = False, **options: Any
) -> AsyncIterator[Heard]:
    """A subscriber to topics, everything if none is named; ``is_known``: the broker has its subscriptions."""
    options = {"protocol": aiomqtt.ProtocolVersion.V5, **options}
    async with aiomqtt.Client("127.0.0.1", mosquitto.port, **options) as client:
        for wanted in () if is_known else filters or ("#",):
            await client.subscribe(wanted, qos=1)
        yield Heard(client)


@asynccontextmanager
async def publishing(site: Site, plan: MqttPlan) -> AsyncIterator[Subscription]:
    """The publisher of a plan while the block lasts; at its end the events end, and it finishes."""
    site.board.add(plan.name, plan.target)
    publisher = plan.publisher(site.context())
    events = site.feed.subscribe(plan.name)
    running = asyncio.ensure_future(publisher(events))  # type: ignore[arg-type]
    try:
        yield events
        events.end()
        await asyncio.wait_for(running, DEADLINE_S)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running  # what it failed by is better to know than what the block then missed


async def board_says(site: Site, condition: Callable[[], object]) -> None:
    """Until the board of the publishers shows something; each try gives the publisher its turn."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


class PersistentMosquitto(Mosquitto):
    """A broker that keeps sessions and what is queued for them over its own restart."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        file = folder / "mosquitto.conf"
        text = file.read_text(encoding="utf-8")
        lines = f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\n"
        file.write_text(text.replace("persistence false\n", lines), encoding="utf-8")


def lasting_session() -> dict[str, Any]:
    """Options of a subscriber for whom the broker queues what it misses."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 3600
    return {"identifier": "lasting", "clean_start": False, "properties": properties}


class TlsMosquitto(Mosquitto):
    """A broker with a certificate that an authority of our own has signed: ``authority`` is its file."""

    def __init__(self, folder: Path, *, valid_from: timedelta = timedelta(hours=-1)) -> None:
        super().__init__(folder)
        self.authority = make_certificates(folder, valid_from)
        with (folder / "mosquitto.conf").open("a", encoding="utf-8") as file:
            file.write(f"cafile {folder}/ca.pem\ncertfile {folder}/broker.pem\nkeyfile {folder}/broker.key\n")


def server_tls(folder: Path) -> ssl.SSLContext:
    """TLS of a server whose authority is ``ca.pem`` in a folder."""
    make_certificates(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "broker.pem", folder / "broker.key")
    return context


def make_certificates(folder: Path, valid_from: timedelta = timedelta(hours=-1)) -> Path:
    """An authority, and a certificate of it for 127.0.0.1, in a folder; returns the authority's file."""
    from datetime import UTC, datetime
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.now(UTC)

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def builder(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named("test authority"))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + valid_from).not_valid_after(now + timedelta(days=2))
        )  # fmt: skip

    authority_key, broker_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    authority = (
        builder("test authority", authority_key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), False)
        .sign(authority_key, hashes.SHA256())
    )  # fmt: skip
    broker = (
        builder("127.0.0.1", broker_key)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False)
        .sign(authority_key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    (folder / "broker.pem").write_bytes(broker.public_bytes(pem))
    key = broker_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "broker.key").write_bytes(key)
    return folder / "ca.pem"
