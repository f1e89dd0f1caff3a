"""Looks for meters: by mDNS and SSDP on this network, in the discovery topics of a broker, over a range of addresses.

Only what the plan names is contacted, and ``Findings.actions`` says what was. Multicast questions reach every device
of the network; an answer leads to one HTTP request only where it names a firmware that is known here, or where
``asks_all`` is set: a printer that announces a web page is left alone.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, Any, Final, Protocol

from wattrail.credentials import Secrets
from wattrail.errors import AccessDenied, LinkError, PortError, PortOpenError, UrlError, needs_library
from wattrail.network_meters.decoded import MqttCommand
from wattrail.network_meters.discovery import DISCOVERY_TOPICS, BrokerDiscovery, FoundMeter, identify, parse_ssdp
from wattrail.network_meters.tuya_announcement import EVERY_S
from wattrail.sanitize import hide_typed_credentials, printable
from wattrail.sources.broker import Broker, BrokerAddress
from wattrail.sources.tuya_listening import announced, udp_socket
from wattrail.transport.http import HttpServer
from wattrail.urls import MQTT_PORTS, split

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf

__all__ = ["Findings", "SearchPlan", "TopicGatherer", "gather", "parse_range", "search"]

SSDP_GROUP: Final = ("239.255.255.250", 1900)
MAX_ADDRESSES: Final = 4096
"""A larger range is a mistake, or somebody else's network."""

_SERVICE: Final = "_http._tcp.local."
_SEARCH: Final = (
    'M-SEARCH * HTTP/1.1\r\nHOST: {host}:{port}\r\nMAN: "ssdp:discover"\r\nMX: 2\r\nST: upnp:rootdevice\r\n\r\n'
)
_SSDP_QUESTIONS: Final = 2  # a datagram may be lost
_STATUS: Final = "/cm?cmnd=Status%200"
# OpenBeken is OpenBk in SSDP, and obk with the end of its MAC as a host. Source: openbeken/network
_FIRMWARE_NAMES: Final = ("obk", "openbk", "openbeken", "tasmota")
_AT_ONCE: Final = 64
_HTTP_PORT: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """What may be contacted.

    ``seconds`` is how long answers are waited for; ``interface`` is an address of this machine, all of them if empty.
    At ``tuya_ports`` devices with Tuya's firmware are listened for; at ``tuya_question``, a host and a port, they are
    asked once.
    """

    mdns: bool = False
    ssdp: bool = False
    tuya_ports: Sequence[int] = ()
    tuya_question: tuple[str, int] | None = None
    brokers: Sequence[str] = ()
    ranges: Sequence[IPv4Network] = ()
    asks_all: bool = False
    seconds: float = 4.0
    interface: str = ""
    http_port: int = _HTTP_PORT


@dataclass(slots=True)
class Findings:
    """The meters that were found, what was done to find them, and what failed."""

    meters: list[FoundMeter] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A web server that may be a meter's."""

    host: str
    port: int
    is_known: bool

    @property
    def place(self) -> str:
        return self.host if self.port == _HTTP_PORT else f"{self.host}:{self.port}"


def parse_range(text: str) -> IPv4Network:
    """``192.168.1.0/24`` or one address. Raises UrlError."""
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise UrlError(f"{text!r} is not a range of addresses: {error}", hint="write it like 192.168.1.0/24") from error
    if not isinstance(network, IPv4Network) or network.num_addresses > MAX_ADDRESSES:
        raise UrlError(
            f"{text!r} has {network.num_addresses} addresses, at most {MAX_ADDRESSES} of IPv4 are asked",
            hint="name the network of the meters, such as 192.168.1.0/24",
        )
    return network


async def search(plan: SearchPlan, *, secrets: Secrets | None = None) -> Findings:
    """Look for meters as the plan says. Raises UrlError, MissingExtra; what cannot be reached is a problem found."""
    findings = Findings()
    brokers = [_broker_address(text) for text in plan.brokers]
    searches = [_search_mdns(plan, findings)] if plan.mdns else []
    searches += [_search_ssdp(plan, findings)] if plan.ssdp else []
    if plan.tuya_ports:
        searches.append(_listen_for_tuya(plan, findings))
    answered = [candidate for found in await asyncio.gather(*searches) for candidate in found]
    ranged = [_Candidate(str(host), plan.http_port, True) for network in plan.ranges for host in network.hosts()]
    await _ask_web_servers(_distinct(answered), plan, findings, what="web servers that answered")
    await _ask_web_servers(ranged, plan, findings, what=f"addresses of {', '.join(map(str, plan.ranges))}")
    for address in brokers:
        await _search_broker(address, plan, findings, secrets or Secrets())
    findings.meters = _without_repetitions(findings.meters)
    return findings


async def _search_mdns(plan: SearchPlan, findings: Findings) -> list[_Candidate]:
    with needs_library("mDNS", "zeroconf", extra="discover"):
        from zeroconf import InterfaceChoice, IPVersion
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf
    names: set[str] = set()

    def note(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        names.add(name)

    try:
        zeroconf = AsyncZeroconf(
            interfaces=[plan.interface] if plan.interface else InterfaceChoice.Default, ip_version=IPVersion.V4Only
        )
    except OSError as error:
        findings.problems.append(f"mDNS: {error}")
        return []
    found: list[_Candidate] = []
    try:
        browser = AsyncServiceBrowser(zeroconf.zeroconf, _SERVICE, handlers=[note])
        await asyncio.sleep(plan.seconds)
        await browser.async_cancel()
        for name in sorted(names):
            info = AsyncServiceInfo(_SERVICE, name)
            await info.async_request(zeroconf.zeroconf, 1000)
            is_known = _is_firmware(name) or any(_is_firmware(str(value)) for value in info.decoded_properties.values())
            found += [_Candidate(host, info.port or _HTTP_PORT, is_known) for host in info.parsed_addresses()[:1]]
    finally:
        await zeroconf.async_close()
    findings.actions.append(
        f"mDNS: asked 224.0.0.251:5353{_on(plan)} for {_SERVICE} during {plan.seconds:g} s; {len(names)} answers"
    )
    return found


async def _search_ssdp(plan: SearchPlan, findings: Findings) -> list[_Candidate]:
    loop, group = asyncio.get_running_loop(), SSDP_GROUP
    answers: dict[str, _Candidate] = {}

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
            answer = parse_ssdp(data)
            if answer is not None:  # the sender's address, not the one that its text claims
                answers[addr[0]] = _Candidate(addr[0], answer.port, _is_firmware(answer.server))

    try:
        transport, _ = await loop.create_datagram_endpoint(Receiver, sock=_multicast_socket(plan.interface))
    except OSError as error:
        findings.problems.append(f"SSDP: {error}")
        return []
    try:
        for _ in range(_SSDP_QUESTIONS):
            transport.sendto(_SEARCH.format(host=group[0], port=group[1]).encode("ascii"), group)
            await asyncio.sleep(plan.seconds / _SSDP_QUESTIONS)
    finally:
        transport.close()
    findings.actions.append(
        f"SSDP: asked {group[0]}:{group[1]}{_on(plan)}, {_SSDP_QUESTIONS} questions; {len(answers)} answers"
    )
    return list(answers.values())


async def _listen_for_tuya(plan: SearchPlan, findings: Findings) -> list[_Candidate]:
    """Puts what it hears into the findings: none of them is a web server."""
    # These devices announce themselves every five seconds. Source: tuya/lan
    seconds = max(plan.seconds, EVERY_S + 1)
    heard = await announced(plan.tuya_ports, interface=plan.interface, seconds=seconds, question=plan.tuya_question)
    findings.meters += heard.meters
    findings.problems += heard.problems
    ports = " and ".join(map(str, plan.tuya_ports))
    asked = ""
    if heard.asked_from is not None and plan.tuya_question is not None:
        host, port = plan.tuya_question
        asked = f"asked once who is there, from {heard.asked_from} to UDP {host}:{port}; "
    listened = f"listened at UDP {ports}{_on(plan)} during {seconds:g} s"
    findings.actions.append(f"Tuya: {asked}{listened}; {len(heard.meters)} devices")
    return []


def _multicast_socket(interface: str) -> socket.socket:
    options: list[tuple[int, int, int | bytes]] = [(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 2)]
    if interface:  # else the route of the machine decides, which may lead to another network
        options.append((socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface)))
    return udp_socket(interface, 0, *options)


async def _ask_web_servers(
    candidates: Sequence[_Candidate], plan: SearchPlan, findings: Findings, *, what: str
) -> None:
    """One request to each that is known or may be asked; what they measure comes in the same answer."""
    asked = [one for one in candidates if one.is_known or plan.asks_all]
    limit = asyncio.Semaphore(_AT_ONCE)

    async def bounded(candidate: _Candidate) -> FoundMeter | None:
        async with limit:
            return await _identified(candidate, plan.seconds)

    found = [meter for meter in await asyncio.gather(*map(bounded, asked)) if meter is not None]
    findings.meters += found
    if candidates:
        left = len(candidates) - len(asked)
        others = f"; {left} others carry no name of a known firmware and were not asked" if left else ""
        findings.actions.append(f"HTTP: asked {len(asked)} {what} for {_STATUS}; {len(found)} are meters{others}")


async def _identified(candidate: _Candidate, timeout_s: float) -> FoundMeter | None:
    server = HttpServer(candidate.host, candidate.port, timeout_s=timeout_s)
    try:
        answer = await server.get(_STATUS)
    except AccessDenied:
        return FoundMeter(
            url=f"openbeken://{candidate.place}",
            name=f"meter-{candidate.host}",
            title="a web server that wants a password",
            identity=candidate.place,
            note="store its login (docs/sources.md, credentials), then try openbeken:// and tasmota://",
        )
    except (PortError, LinkError):
        return None
    return identify(answer.body, candidate.place) if answer.status == 200 else None


class TopicGatherer(Protocol):
    """What makes sense of the messages of a broker, and says what to ask after the retained ones have come."""

    def receive(self, topic: str, payload: bytes) -> None:
        """One message."""
        ...

    def commands(self) -> Sequence[MqttCommand]:
        """What to ask."""
        ...


class _GatheringListener:
    """Hands the messages of a broker to a gatherer."""

    def __init__(self, gatherer: TopicGatherer, topics: Sequence[str]) -> None:
        self.messages = self.commands = 0
        self.problem: PortError | None = None
        self.answered = asyncio.Event()
        self._gatherer = gatherer
        self._topics = topics

    def filters(self) -> Sequence[str]:
        return self._topics

    def receive(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        self.messages += 1
        self._gatherer.receive(topic, payload)

    def connection_changed(self, problem: PortError | None) -> None:
        self.problem = problem
        self.answered.set()


async def gather(
    broker: Broker, gatherer: TopicGatherer, topics: Sequence[str], *, seconds: float
) -> _GatheringListener:
    """Listen for so long, and ask after half of it. The broker is one that nobody else listens to."""
    listener = _GatheringListener(gatherer, topics)
    await broker.add(listener)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(listener.answered.wait(), seconds)
        if listener.problem is None and listener.answered.is_set():
            await asyncio.sleep(seconds / 2)
            commands = gatherer.commands()
            listener.commands = len(commands)
            await broker.publish(commands)
            await asyncio.sleep(seconds / 2)
    finally:
        await broker.remove(listener)
    return listener


async def _search_broker(address: BrokerAddress, plan: SearchPlan, findings: Findings, secrets: Secrets) -> None:
    place = address.host if address.port == MQTT_PORTS["mqtt"] else f"{address.host}:{address.port}"
    options = "&tls=yes" if address.is_encrypted else ""
    options += "" if address.login == address.host else f"&login={address.login}"
    discovery = BrokerDiscovery(place, options)
    broker = Broker(address, credentials=secrets.find(address.login))
    listener = await gather(broker, discovery, DISCOVERY_TOPICS, seconds=plan.seconds)
    problem = listener.problem or (None if listener.answered.is_set() else PortOpenError(f"{address}: no answer"))
    if problem is not None:
        findings.problems.append(str(problem) + (f" ({problem.hint})" if problem.hint else ""))
        return
    found = discovery.found()
    findings.meters += found
    junk = f", {discovery.ignored} of them not JSON" if discovery.ignored else ""
    findings.actions.append(
        f"MQTT: listened at {address} to {', '.join(DISCOVERY_TOPICS)} during {plan.seconds:g} s, and asked "
        f"{listener.commands // 2} devices for Status; {listener.messages} messages{junk}; {len(found)} are meters"
    )


def _broker_address(text: str) -> BrokerAddress:
    url = split(text if "://" in text else f"mqtt://{text}")
    if url.scheme not in MQTT_PORTS or not url.host or url.path.strip("/") or set(url.query) - {"login"}:
        raise UrlError(
            f"{printable(hide_typed_credentials(text))!r} is not a broker", hint="write it like mqtt://broker.lan"
        )
    is_encrypted = url.scheme == "mqtts"
    port = MQTT_PORTS[url.scheme] if url.port is None else url.port
    return BrokerAddress(url.host, port, is_encrypted, url.query.get("login") or url.host)


def _is_firmware(text: str) -> bool:
    return any(name in text.lower() for name in _FIRMWARE_NAMES)


def _on(plan: SearchPlan) -> str:
    return f" on {plan.interface}" if plan.interface else ""


def _distinct(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """Each host and port once; known if any answer named it so."""
    found: dict[str, _Candidate] = {}
    for one in candidates:
        if one.place not in found or one.is_known:
            found[one.place] = one
    return list(found.values())


def _without_repetitions(meters: Iterable[FoundMeter]) -> list[FoundMeter]:
    """Each URL once."""
    return list({meter.url: meter for meter in meters}.values())
