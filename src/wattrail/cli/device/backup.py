"""``wattrail device backup`` and ``restore``."""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wattrail.cli import clock, output
from wattrail.cli.device.setup import report_setup, show_plan
from wattrail.cli.device.target import DeviceHost, DeviceOptions, backups_folder, on_device, pause, progress_of
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import Json
from wattrail.errors import WriteRefused

if TYPE_CHECKING:
    from wattrail.device import DeviceBackup, OpenBekenClient, SetupPlan, SetupReport

__all__ = ["backup", "keep", "restore"]


def backup(
    host: DeviceHost,
    file: Annotated[Path | None, Parameter(help="File to write, .zip; else in your own folder.")] = None,
    *,
    whole_flash: Annotated[bool, Parameter(help="Also all 2 MiB, as 'flash restore' takes them.")] = False,
    json: Json = False,
    options: DeviceOptions | None = None,
) -> None:
    """Keep the settings and the files of a device.

    In one file, while it runs. It holds passwords in clear, and only you may read it. Without --whole-flash no firmware
    is in it.
    """
    from wattrail.device import take_backup

    progress = progress_of("reading the flash") if whole_flash else None

    async def work(client: OpenBekenClient) -> DeviceBackup:
        return await take_backup(client, clock.CLOCK.now(), whole_flash=whole_flash, progress=progress)

    taken = on_device(host, options, work)
    path, dump = keep(taken, file)
    if json:
        print(dumps({"file": str(path), "flash": str(dump) if dump else None, **_facts(taken)}))
        return
    print(f"{path}: settings{_and_files(taken)} of {taken.short_name}, OpenBeken {taken.version}")
    if dump is not None:
        print(f"{dump}: the whole flash; by wire: wattrail flash restore PORT {dump}")


def keep(taken: DeviceBackup, file: Path | None) -> tuple[Path, Path | None]:
    """Write a backup, and the whole flash beside it as a dump of its own. Raises FileError."""
    from wattrail.device.backup import backup_name, write_backup, write_dump

    path = file or backups_folder(simulated=taken.is_simulated) / backup_name(taken)
    write_backup(taken, path)
    # A file of its own: 'flash restore' takes it as it is, where no network reaches the device any more.
    dump = path.with_name(f"{path.stem}-flash.bin") if taken.flash is not None else None
    if dump is not None and taken.flash is not None:
        write_dump(taken.flash, dump)
    return path, dump


def restore(
    host: DeviceHost,
    file: Annotated[Path, Parameter(help="A backup that 'device backup' made.")],
    *,
    files: Annotated[bool, Parameter(negative="--no-files", help="Put the files back too.")] = True,
    other_device: Annotated[bool, Parameter(help="Take the backup of another device.")] = False,
    dry_run: Annotated[bool, Parameter(help="Show what would change, and change nothing.")] = False,
    json: Json = False,
    options: DeviceOptions | None = None,
) -> None:
    """Put the settings and the files of a backup back.

    Through the firmware that runs; says what differs still. What no page of the firmware can set stays as it is and is
    named: 'flash write --part config' puts it back by wire.
    """
    from wattrail.device import apply_setup, read_backup

    kept = read_backup(file)
    wanted = kept.configuration  # a damaged one ends here, before the device is asked anything

    async def planned(client: OpenBekenClient) -> SetupPlan:
        return await _plan(client, kept, other_device=other_device)

    plan = on_device(host, options, planned)
    writes_files = files and kept.file_system is not None
    if not json:
        show_plan(plan)
    if dry_run or (not plan.changes and not writes_files):
        if json:
            print(dumps({"changes": [str(change) for change in plan.changes], "done": False}))
        return

    async def work(client: OpenBekenClient) -> SetupReport:
        if writes_files and kept.file_system is not None:
            output.note("put the files back")
            await client.write_file_system(kept.file_system)
        return await apply_setup(client, plan, pause=pause, clock=clock.CLOCK, note=output.note)

    report_setup(on_device(host, options, work), json=json, wanted=wanted)


async def _plan(client: OpenBekenClient, kept: DeviceBackup, *, other_device: bool) -> SetupPlan:
    from wattrail.device.backup import is_backup_of, known_mac
    from wattrail.device.setup import plan_towards

    plan = await plan_towards(client, kept.configuration)
    if not is_backup_of(kept, plan.information, plan.before) and not other_device:
        raise WriteRefused(
            f"the backup is of the device {known_mac(kept.mac, kept.configuration)}, and "
            f"{known_mac(plan.information.mac, plan.before)} answers",
            risk="",
            hint="add --other-device to give it the settings of the other, names and address included",
        )
    if plan.information.chip is not kept.chip:
        raise UsageError(f"the backup is of a {kept.chipset}, the device is a {plan.information.chipset}")
    return plan


def _facts(taken: DeviceBackup) -> Mapping[str, object]:
    return {
        "chip": taken.chip.value, "mac": taken.mac, "version": taken.version, "simulated": taken.is_simulated,
        "members": {name: len(data) for name, data in taken.members.items()},
    }  # fmt: skip


def _and_files(taken: DeviceBackup) -> str:
    return "" if taken.file_system is None else " and files"
