"""Devices of the configured meters: are they there, may we open them, and who else has them open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from wattrail.app.doctor.finding import DoctorFinding, Surroundings, fine, group_name, user_name, warn, wrong
from wattrail.sanitize import printable
from wattrail.transport.carrier import device_path
from wattrail.transport.discovery import list_candidates, without_device
from wattrail.urls import DEVICE_SCHEMES, innermost

__all__ = ["check_ports", "holders_of"]


def check_ports(around: Surroundings) -> Iterator[DoctorFinding]:
    """Every device that the configuration names; without any, those that could carry a meter."""
    for adapter in without_device():
        yield warn(adapter.words(), "load its driver, or plug it in again; see docs/troubleshooting.md")
    devices = list(_devices(around))
    for meter, device in devices:
        yield from _check_device(around, meter, device)
    if not devices:
        found = ", ".join(candidate.url for candidate in list_candidates())
        yield fine(f"no meter is on a port of this machine; {f'could carry one: {found}' if found else 'none is free'}")


def _devices(around: Surroundings) -> Iterator[tuple[str, Path]]:
    for meter in around.plan.gateway.meters if around.plan else ():
        url = innermost(meter.url)
        if url.scheme in DEVICE_SCHEMES:
            yield meter.name, Path(device_path(url))


def _check_device(around: Surroundings, meter: str, device: Path) -> Iterator[DoctorFinding]:
    where = f"meter {meter}: {printable(str(device))}"
    if not device.exists():
        candidates = ", ".join(candidate.url for candidate in list_candidates()) or "none"
        yield wrong(
            f"{where} is not there",
            f"plug it in; what could carry a meter: {candidates}. A name in /dev/serial/by-id stays the same",
        )
        return
    found = device.stat()
    if not os.access(device, os.R_OK | os.W_OK):
        yield wrong(
            f"{where} (group {group_name(found.st_gid)}, mode {stat.S_IMODE(found.st_mode):04o}): "
            f"{user_name()} may not open it",
            _permission_remedy(found),
        )
        return
    # The gateway holds its meters' ports as it should.
    others = [(number, name) for number, name in holders_of(device, around.proc) if number != _gateway_of(around)]
    for number, name in others:
        yield wrong(f"{where} is open in process {number}, {name}", _holder_remedy(name, number))
    if not others:
        yield fine(f"{where} can be opened")


def _permission_remedy(found: os.stat_result) -> str:
    group = group_name(found.st_gid)
    if group == "root" or not found.st_mode & stat.S_IRGRP:
        return "a udev rule must give it a group: see docs/troubleshooting.md"
    return (
        f"type: sudo usermod -aG {group} {user_name()}, and log in again; for a service, SupplementaryGroups={group} "
        "in: sudo systemctl edit wattrail"
    )


def _holder_remedy(name: str, number: int) -> str:
    if name == "ModemManager":
        return "type: sudo systemctl disable --now ModemManager, which takes serial ports for modems"
    return f"stop it, for example: kill {number}; two programs on one port take each other's answers"


def _gateway_of(around: Surroundings) -> int | None:
    holder = around.gateway()
    return holder.pid if holder else None


def holders_of(device: Path, proc: Path) -> list[tuple[int, str]]:
    """The processes that have a device open, as far as this user may see them: number and name."""
    target, found = device.resolve(), []
    for process in proc.glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            if any(link.resolve() == target for link in (process / "fd").iterdir()):
                found.append((int(process.name), printable((process / "comm").read_text().strip(), limit=40)))
        except OSError:  # another user's, or it has ended
            continue
    return sorted(found)
