"""Runs the page in a process of its own, sends it the changes, and starts it again if it dies.

It reads the event stream of the gateway like any publisher, live values only: twice a second a thread takes the newest
view of each changed meter and sends it. Metering never waits for it. At most one view of each meter waits for a slow
page. A page that reads nothing for some seconds is ended and started again.
"""

from __future__ import annotations

import errno
import logging
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Final

from wattrail.errors import ConfigError, WattrailError
from wattrail.gateway import Event, Feed, MeterChanged, ScopeView, Subscription
from wattrail.gateway.threads import start_thread
from wattrail.gateway.timing import BackOff
from wattrail.publish import PublisherBoard
from wattrail.web.gateway_calls import MAX_CALL, Action, answer_line, busy_answer
from wattrail.web.messages import ConfigurationJson, PublisherJson, Setup, decode_line, encode_line, encode_views
from wattrail.web.reports import apply_report
from wattrail.web.waveform import WaveformJson

__all__ = ["WebProcess", "address_of", "bind", "page_url"]

_SEND_EVERY_S: Final = 0.5
_SEND_TIMEOUT_S: Final = 10
_BATCH: Final = 50
"""Views of one message; encoding it takes less than a millisecond."""

_MAX_CALLS: Final = 4
"""Calls of the page that are carried out at once, each in a thread of its own."""

_STOP_WITHIN_S: Final = 0.5
"""Seconds until the page is killed; it has nothing to save."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sent:
    """What the page's process was sent last."""

    setup: Setup
    names: tuple[str, ...] = ()
    board_version: int = -1
    configuration: ConfigurationJson | None = None
    house: tuple[str | None, str | None] | None = None


class WebProcess:
    """Keeps the page running on a bound listener until it is stopped. ``on_ready`` gets its address.

    ``on_acknowledge`` gets the id of an alarm that someone has seen; it is called in a thread of this process.
    ``actions`` are what the page may ask for, by name; each call runs in a thread of its own.
    """

    def __init__(
        self,
        feed: Feed,
        setup: Setup,
        listener: socket.socket,
        *,
        board: PublisherBoard | None = None,
        on_ready: Callable[[str], object] | None = None,
        on_acknowledge: Callable[[int], object] | None = None,
        actions: Mapping[str, Action] | None = None,
    ) -> None:
        self._board = board or PublisherBoard()
        self.address = address_of(listener, is_secure=setup.certificate is not None)
        self._actions = dict(actions or {})
        self._free_calls = threading.BoundedSemaphore(_MAX_CALLS)
        self._feed, self._setup, self._listener, self._on_ready = feed, setup, listener, on_ready
        self._on_acknowledge = on_acknowledge
        self._watched: dict[str, ScopeView | None] = {}
        self._captures = 0
        self._configuration: ConfigurationJson | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = start_thread(self._supervise, name="web")

    def renew(self, setup: Setup) -> None:
        """Use other settings within a second.

        Which meters are grid and solar is sent: they change with every second meter, and nobody should have to sign in
        for that. For all else the process starts again; the listener stays open meanwhile.
        """
        house = {"grid": setup.grid, "solar": setup.solar}
        if self._setup.model_copy(update=house) == setup:
            self._setup.grid, self._setup.solar = setup.grid, setup.solar
            return
        self.address = address_of(self._listener, is_secure=setup.certificate is not None)
        self._setup = setup

    def show_configuration(self, state: ConfigurationJson) -> None:
        """Show since when the configuration holds, or why the newest one was refused."""
        self._configuration = state

    def stop(self) -> None:
        """End the process; returns within a second."""
        self._stopping.set()
        self._thread.join(_STOP_WITHIN_S + 0.1)
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def _supervise(self) -> None:
        back_off = BackOff()
        while not self._stopping.is_set():
            setup = self._setup
            try:
                if self._run_once(setup):
                    back_off.succeed()
            except OSError as error:
                logger.debug("the process of the page cannot be reached: %s", error)
            except Exception:  # a page that fails must not take the gateway with it
                logger.exception("supervising the process of the page failed")
            # One that was ended for other settings starts again at once; one that died may die again.
            if not self._stopping.is_set() and self._setup is setup:
                delay = back_off.fail()
                logger.warning("the process of the page ended; it is started again in %.0f s, readings go on", delay)
                self._stopping.wait(delay)

    def _run_once(self, setup: Setup) -> bool:
        """Start the process and send it changes until it ends, we stop or its settings are others.

        Returns whether it was ever ready.
        """
        # A pair of sockets and not multiprocessing: its start imports the caller's main module, and it sends pickles,
        # by which a process that talks to strangers could send code.
        ours, theirs = socket.socketpair()
        with ours, theirs, self._feed.subscribe("the page", max_waiting=0) as events:
            # Not settimeout(), which would also limit the wait for replies. A page that reads nothing for so long is
            # ended, or what waits for it would grow.
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_TIMEOUT_S, 0))
            process = self._process = self._start(theirs)
            theirs.close()  # an end that we keep open would hide that the child's has closed
            channel, ready = _Channel(ours), threading.Event()
            start_thread(lambda: self._listen(ours.makefile("rb"), channel, ready), name="web-replies")
            try:
                channel.send(encode_line(setup=setup.model_dump(mode="json")))
                sent = _Sent(setup)
                self._send_states(channel, sent)
                _send_views(channel, events.take())  # a subscription begins with every meter
                channel.send(encode_line(complete=True))
                self._send_changes(channel, events, process, sent)
            finally:
                with self._lock:
                    self._watched.clear()
                with suppress(OSError):  # the page may be gone
                    ours.shutdown(socket.SHUT_RDWR)  # its file, from which replies are read, keeps the socket open
                _end(process)
        return ready.is_set()

    def _start(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        # -P: no module may come from the working directory. But for these two no descriptor is inherited: 1,200 idle
        # connections once took all of them from the process that reads meters.
        command = [sys.executable, "-P", "-m", "wattrail.web.child", str(theirs.fileno()), str(self._listener.fileno())]
        return subprocess.Popen(
            command, pass_fds=(theirs.fileno(), self._listener.fileno()), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def _send_states(self, channel: _Channel, sent: _Sent) -> None:
        """Send what changes now and then: which meters there are, publishers, configuration, grid and solar."""
        if sent.names != (names := self._feed.names):
            sent.names = names
            channel.send(encode_line(names=names))
        if sent.board_version != (version := self._board.version):
            sent.board_version = version
            states = [PublisherJson.model_validate(state).model_dump(mode="json") for state in self._board.states()]
            channel.send(encode_line(publishers=states))
        if sent.configuration is not (configuration := self._configuration):
            sent.configuration = configuration
            channel.send(encode_line(configuration=configuration and configuration.model_dump(mode="json")))
        if sent.house != (house := (sent.setup.grid, sent.setup.solar)):
            sent.house = house
            channel.send(encode_line(house=house))

    def _send_changes(
        self, channel: _Channel, events: Subscription, process: subprocess.Popen[bytes], sent: _Sent
    ) -> None:
        while not self._stopping.is_set() and process.poll() is None and self._setup is sent.setup:
            with self._lock:
                watched = tuple(self._watched)
            self._send_states(channel, sent)
            _send_views(channel, events.take())
            channel.send(encode_line())  # shows that the gateway runs
            for name in watched:
                self._send_waveform(channel, name)
            self._stopping.wait(_SEND_EVERY_S)

    def _send_waveform(self, channel: _Channel, name: str) -> None:
        scope, view = self._feed.scopes.last(name), self._feed.view(name)
        if scope is None or view is None or scope is self._watched.get(name):
            return
        self._watched[name] = scope
        self._captures += 1
        waveform = WaveformJson.of(name, scope, simulated=view.simulated, capture=self._captures)
        channel.send(encode_line(waveform=waveform.model_dump(mode="json")))

    def _listen(self, replies: BinaryIO, channel: _Channel, ready: threading.Event) -> None:
        """Read the replies of the page: it is ready, requests a waveform, acknowledges an alarm, reports or calls."""
        try:
            while line := replies.readline(MAX_CALL):
                reply = decode_line(line)
                self._handle_reply(reply, ready)
                if (call := reply.get("call")) is not None:
                    self._start_call(call, channel)
        except (OSError, ValueError) as error:
            logger.debug("no more replies of the page: %s", error)

    def _handle_reply(self, reply: Mapping[str, object], ready: threading.Event) -> None:
        if reply.get("ready") and not ready.is_set():
            ready.set()
            if self._on_ready is not None:
                self._on_ready(self.address)
        # From here on every field is what a process under attack may send: its type is checked before it is used.
        number = reply.get("acknowledge")
        if isinstance(number, int) and self._on_acknowledge is not None:
            try:
                self._on_acknowledge(number)
            except WattrailError as error:
                logger.warning("alarm %d could not be acknowledged: %s", number, error)
        try:
            apply_report(reply, self._setup.database)
        except (WattrailError, ValueError) as error:
            logger.warning("a report of the page could not be stored: %s", error)
        name = reply.get("watch")
        if isinstance(name, str) and self._feed.view(name) is not None:
            self._feed.scopes.watch(name)
            with self._lock:
                self._watched.setdefault(name, None)

    def _start_call(self, call: Mapping[str, object], channel: _Channel) -> None:
        """Carry out a call in a thread of its own; one too many is refused, for reports must not wait behind it."""
        if not self._free_calls.acquire(blocking=False):
            channel.send(encode_line(answer=busy_answer(call)))
            return

        def answer() -> None:
            try:
                channel.send(answer_line(call, self._actions))
            except (OSError, ValueError) as error:
                logger.debug("a call of the page has no answer: %s", error)
            finally:
                self._free_calls.release()

        start_thread(answer, name="web-call")


class _Channel:
    """The gateway's end of the socket to the page; answers and changes come from different threads."""

    def __init__(self, end: socket.socket) -> None:
        self._end, self._lock = end, threading.Lock()

    def send(self, line: bytes) -> None:
        """Send a whole line. Raises OSError where the page reads nothing or is gone."""
        with self._lock:
            self._end.sendall(line)


def _send_views(channel: _Channel, events: Iterable[Event]) -> None:
    views = [event.view for event in events if isinstance(event, MeterChanged)]
    for start in range(0, len(views), _BATCH):
        channel.send(encode_views(views[start : start + _BATCH]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for the process, which ends when its channel is closed; kill it if it does not."""
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# ---- the listening socket, bound by the gateway before any meter is touched


def bind(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A listening socket; port 0 selects a free one. Raises ConfigError with a remedy."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"cannot serve at {host}:{port}: {error.strerror or error}", hint=_hint(error)) from error
    # Connections inherit it. asyncio sets it only for a socket that names its protocol, which this one does not:
    # without it the body of an answer waits 40 ms for the visitor to confirm the head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address_of(listener: socket.socket, *, is_secure: bool = False) -> str:
    """The URL at which a bound socket is reached."""
    host, port = listener.getsockname()[:2]
    return page_url(host, port, is_secure=is_secure)


def page_url(host: str, port: int, *, is_secure: bool = False) -> str:
    """The URL by which other machines reach a page that is bound to a host and a port."""
    name = socket.gethostname() if host in {"0.0.0.0", "::"} else host
    return f"{'https' if is_secure else 'http'}://{f'[{name}]' if ':' in name else name}:{port}/"


def _hint(error: OSError) -> str | None:
    if error.errno == errno.EADDRINUSE:
        return "another program uses this port, perhaps another wattrail: stop it, or choose another port"
    if error.errno == errno.EACCES:
        return "ports below 1024 need privileges: choose a larger one"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "use an address of this machine: 127.0.0.1 for itself only, 0.0.0.0 for everybody in its network"
    return None
