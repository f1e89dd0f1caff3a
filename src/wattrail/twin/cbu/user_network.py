"""The network around the module, without rights on this machine: libslirp, the user-mode network of QEMU, by ctypes.

The firmware's web server is reached at a port of 127.0.0.1; what the firmware sends to ``HOST`` reaches 127.0.0.1 of
this machine. Nothing else passes: a firmware that calls its cloud is not answered. Source: libslirp/header.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import select
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from wattrail.errors import WattrailError
from wattrail.simulated_ports import simulated_port
from wattrail.twin.cbu.frames import FramePort
from wattrail.twin.cbu.machine import Cbu
from wattrail.twin.cbu.peripheral import TICKS_PER_SECOND

__all__ = ["FIRMWARE", "HOST", "POLL_S", "BoardNetwork", "UserNetwork"]

FIRMWARE: Final = "192.168.4.1"
"""Where OpenBeken's own access point is."""

HOST: Final = "192.168.4.2"
"""Where the firmware finds 127.0.0.1 of this machine, for example a broker."""

_NETWORK, _MASK, _NAMES, _FIRST_LEASE = "192.168.4.0", "255.255.255.0", "192.168.4.3", "192.168.4.15"
_ARP, _IPV4, _BROADCAST = 0x0806, 0x0800, b"\xff" * 4
_MTU: Final = 1500
_VERSION: Final = 4
_SLIRP_EVENTS: Final = (
    (1, select.POLLIN),
    (2, select.POLLOUT),
    (4, select.POLLPRI),
    (8, select.POLLERR),
    (16, select.POLLHUP),
)

_Write = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
_Message = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)
_Time = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
_Timer = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_NewTimer = ctypes.CFUNCTYPE(ctypes.c_void_p, _Timer, ctypes.c_void_p, ctypes.c_void_p)
_FreeTimer = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_SetTimer = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
_Descriptor = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p)
_Plain = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_AddPoll = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
_GetEvents = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


class _Address(ctypes.Structure):
    _fields_ = (("word", ctypes.c_uint32),)


class _Callbacks(ctypes.Structure):
    _fields_ = (
        ("send_packet", _Write), ("guest_error", _Message), ("clock_get_ns", _Time), ("timer_new", _NewTimer),
        ("timer_free", _FreeTimer), ("timer_mod", _SetTimer), ("register_poll_fd", _Descriptor),
        ("unregister_poll_fd", _Descriptor), ("notify", _Plain), ("init_completed", ctypes.c_void_p),
        ("timer_new_opaque", ctypes.c_void_p),
    )  # fmt: skip


class _Settings(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_uint32), ("restricted", ctypes.c_int), ("in_enabled", ctypes.c_bool),
        ("vnetwork", _Address), ("vnetmask", _Address), ("vhost", _Address), ("in6_enabled", ctypes.c_bool),
        ("vprefix_addr6", ctypes.c_uint32 * 4), ("vprefix_len", ctypes.c_uint8), ("vhost6", ctypes.c_uint32 * 4),
        ("vhostname", ctypes.c_char_p), ("tftp_server_name", ctypes.c_char_p), ("tftp_path", ctypes.c_char_p),
        ("bootfile", ctypes.c_char_p), ("vdhcp_start", _Address), ("vnameserver", _Address),
        ("vnameserver6", ctypes.c_uint32 * 4), ("vdnssearch", ctypes.c_void_p), ("vdomainname", ctypes.c_char_p),
        ("if_mtu", ctypes.c_size_t), ("if_mru", ctypes.c_size_t), ("disable_host_loopback", ctypes.c_bool),
        ("enable_emu", ctypes.c_bool), ("outbound_addr", ctypes.c_void_p), ("outbound_addr6", ctypes.c_void_p),
        ("disable_dns", ctypes.c_bool), ("disable_dhcp", ctypes.c_bool),
    )  # fmt: skip


class UserNetwork:
    """``deliver`` takes frames to the firmware, ``now`` is the device's time in seconds.

    Call ``poll`` now and then, ``close`` at the end. Raises WattrailError without the library.
    """

    def __init__(self, deliver: Callable[[bytes], None], now: Callable[[], float]) -> None:
        self._library = _load()
        self._deliver, self._now = deliver, now
        self._descriptors: list[tuple[int, int]] = []
        self._events: dict[int, int] = {}
        self._callbacks = self._made_callbacks()
        self._add, self._get = _AddPoll(self._add_descriptor), _GetEvents(self._events_of)
        # No DHCP and no names: the access point of OpenBeken is the DHCP server of this network itself.
        settings = _Settings(
            version=_VERSION, in_enabled=True, vnetwork=_address(_NETWORK), vnetmask=_address(_MASK),
            vhost=_address(HOST), vhostname=b"twin", vdhcp_start=_address(_FIRST_LEASE), vnameserver=_address(_NAMES),
            if_mtu=_MTU, if_mru=_MTU, disable_dns=True, disable_dhcp=True,
        )  # fmt: skip
        self._slirp = self._library.slirp_new(ctypes.byref(settings), ctypes.byref(self._callbacks), None)
        self.refused = 0
        """Packets of the firmware to addresses beyond this machine."""

    def forward(self, port: int) -> int:
        """A free port of 127.0.0.1 that leads to a TCP port of the firmware. Raises WattrailError."""
        if self._slirp is None:
            raise WattrailError("the network of the module is closed", hint="make another board to open one")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            # Asked of the system first, for the library does not say which port it took.
            free: int = probe.getsockname()[1]
        failed = self._library.slirp_add_hostfwd(self._slirp, 0, _address("127.0.0.1"), free, _address(FIRMWARE), port)
        if failed:
            raise WattrailError(f"port {port} of the firmware cannot be reached: 127.0.0.1:{free} was not to be had")
        return free

    def sent(self, frame: bytes) -> None:
        """The firmware sent a frame: it goes to this machine, or nowhere."""
        if self._slirp is None:  # the firmware runs on, and the library takes no NULL: it would end this process
            return
        if _stays_here(frame):
            self._library.slirp_input(self._slirp, frame, len(frame))
        else:
            self.refused += 1

    def poll(self, wait_s: float = 0.0) -> None:
        """Move what is there in either direction; waits at most so long for something."""
        if self._slirp is None:
            return
        self._descriptors.clear()
        timeout = ctypes.c_uint32(round(wait_s * 1000))
        self._library.slirp_pollfds_fill(self._slirp, ctypes.byref(timeout), self._add, None)
        poller = select.poll()
        for descriptor, events in self._descriptors:
            poller.register(descriptor, events)
        self._events = dict(poller.poll(timeout.value)) if self._descriptors or wait_s else {}
        self._library.slirp_pollfds_poll(self._slirp, 0, self._get, None)

    def close(self) -> None:
        """End every connection."""
        if self._slirp is not None:
            self._library.slirp_cleanup(self._slirp)
            self._slirp = None

    # ---- what the library calls

    def _made_callbacks(self) -> _Callbacks:
        return _Callbacks(
            send_packet=_Write(self._received), guest_error=_Message(lambda _text, _opaque: None),
            clock_get_ns=_Time(lambda _opaque: round(self._now() * 1e9)),
            timer_new=_NewTimer(lambda _call, _its, _opaque: 1), timer_free=_FreeTimer(lambda _timer, _opaque: None),
            timer_mod=_SetTimer(lambda _timer, _at, _opaque: None), register_poll_fd=_Descriptor(lambda _n, _o: None),
            unregister_poll_fd=_Descriptor(lambda _n, _o: None), notify=_Plain(lambda _opaque: None),
        )  # fmt: skip

    def _received(self, data: int, length: int, _opaque: object) -> int:
        self._deliver(ctypes.string_at(data, length))
        return length

    def _add_descriptor(self, descriptor: int, events: int, _opaque: object) -> int:
        self._descriptors.append((descriptor, sum(ours for theirs, ours in _SLIRP_EVENTS if events & theirs)))
        return len(self._descriptors) - 1

    def _events_of(self, index: int, _opaque: object) -> int:
        found = self._events.get(self._descriptors[index][0], 0)
        return sum(theirs for theirs, ours in _SLIRP_EVENTS if found & ours)


def _stays_here(frame: bytes) -> bool:
    """Whether a frame is for this machine or for everybody."""
    kind = int.from_bytes(frame[12:14], "big")
    if kind == _ARP:
        return True
    target = frame[30:34]
    # Stock firmware calls its cloud as soon as it believes in a network: nothing of this machine answers for it.
    return kind == _IPV4 and target in {socket.inet_aton(HOST), _BROADCAST}


def _address(text: str) -> _Address:
    return _Address(int.from_bytes(socket.inet_aton(text), sys.byteorder))


_ARGUMENTS: Final = {
    "slirp_new": [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p],
    "slirp_cleanup": [ctypes.c_void_p],
    "slirp_input": [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int],
    "slirp_pollfds_fill": [ctypes.c_void_p, ctypes.c_void_p, _AddPoll, ctypes.c_void_p],
    "slirp_pollfds_poll": [ctypes.c_void_p, ctypes.c_int, _GetEvents, ctypes.c_void_p],
    "slirp_add_hostfwd": [ctypes.c_void_p, ctypes.c_int, _Address, ctypes.c_int, _Address, ctypes.c_int],
}


def _load() -> Any:  # noqa: ANN401 ctypes has no types
    name = ctypes.util.find_library("slirp")
    with contextlib.suppress(OSError):
        if name is not None:
            library = ctypes.CDLL(name)
            library.slirp_new.restype = ctypes.c_void_p
            for function, arguments in _ARGUMENTS.items():
                getattr(library, function).argtypes = arguments
            return library
    raise WattrailError(
        "the network of an emulated module needs libslirp, which is not installed",
        hint="type: sudo apt install libslirp0; other systems call the package libslirp",
    )


POLL_S: Final = 0.002
"""Device time between two polls."""

_POLL_TICKS: Final = round(POLL_S * TICKS_PER_SECOND)


class BoardNetwork:
    """Frames of the firmware on one side, sockets of 127.0.0.1 on the other; polled as the machine runs."""

    host = HOST
    """Where the firmware finds 127.0.0.1 of this machine."""

    def __init__(self, machine: Cbu) -> None:
        self.frames = FramePort(machine)
        self._sockets = UserNetwork(self.frames.deliver, lambda: machine.seconds)
        self.frames.listen(self._sockets.sent)
        self._ports: dict[int, int] = {}
        self._said_of_ports = ExitStack()
        self._clock = machine.clock
        self._due = machine.clock.alarm("network", self._poll_again)
        self._due.set(machine.clock.now + _POLL_TICKS)

    def port(self, firmware_port: int = 80) -> int:
        """The port of 127.0.0.1 that leads to a TCP port of the firmware; what is read there counts as simulated."""
        if firmware_port not in self._ports:
            self._ports[firmware_port] = self._sockets.forward(firmware_port)
            self._said_of_ports.enter_context(simulated_port(self._ports[firmware_port]))
        return self._ports[firmware_port]

    def join(self) -> None:
        """Make OpenBeken believe that it has joined a network: then it calls its broker and its time server."""
        self.frames.claim_joined()

    def _poll_again(self) -> None:
        self.poll()
        self._due.set(self._clock.now + _POLL_TICKS)

    def poll(self, wait_s: float = 0.0) -> None:
        """Move what is there; the machine must run in between."""
        self._sockets.poll(wait_s)

    def close(self) -> None:
        """End every connection."""
        self._due.cancel()
        self._said_of_ports.close()
        self._sockets.close()
