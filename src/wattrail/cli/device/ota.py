"""``wattrail device ota``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wattrail.cli import clock, output
from wattrail.cli.device.backup import keep
from wattrail.cli.device.target import DeviceHost, DeviceOptions, on_device, pause, progress_of
from wattrail.cli.image.files import read
from wattrail.cli.option_types import Json
from wattrail.errors import VerifyError, WattrailError

if TYPE_CHECKING:
    from wattrail.device import DeviceBackup, DeviceInformation, OpenBekenClient, OtaPlan, OtaReport

__all__ = ["ota"]


def ota(
    host: DeviceHost,
    image: Annotated[Path, Parameter(help="The image: an .rbl of the release for this chip.")],
    *,
    dump: Annotated[bool, Parameter(negative="--no-dump", help="Keep all of the flash, to go back by wire.")] = True,
    backup: Annotated[Path | None, Parameter(help="File for the backup that is taken first, .zip.")] = None,
    dry_run: Annotated[bool, Parameter(help="Check everything, and send nothing.")] = False,
    json: Json = False,
    options: DeviceOptions | None = None,
) -> None:
    """Update the firmware of a device over the network.

    A backup comes first, and checks afterwards. The image is opened and held against the device's chip before it is
    sent: the firmware itself checks nothing. If the device does not come back, the command that puts the old firmware
    back by wire is printed.
    """
    from wattrail.device import check_image, take_backup

    data = read(image)

    async def examine(client: OpenBekenClient) -> tuple[DeviceInformation, DeviceBackup]:
        return await client.information(), await take_backup(client, clock.CLOCK.now())

    before, settings = on_device(host, options, examine)
    plan = check_image(data, before, settings)
    if not json:
        print(*_plan_lines(plan, before, image), sep="\n")
    if dry_run:
        if json:
            print(dumps({**_plan_json(plan, before), "done": False}))
        return
    progress = progress_of("reading the flash") if dump else None

    async def keep_all(client: OpenBekenClient) -> DeviceBackup:
        return await take_backup(client, clock.CLOCK.now(), whole_flash=dump, progress=progress)

    # All of the flash only now: a file that does not fit has been refused by then, and costs no reading.
    taken = on_device(host, options, keep_all) if dump else settings
    kept, flash = keep(taken, backup)
    output.note(f"kept in {kept}" + (f" and {flash}" if flash else ""))
    report = _update(host, options, plan, taken, kept, flash)
    if json:
        print(dumps({**_plan_json(plan, before), **_report_json(report, kept, flash)}))
    else:
        print(
            *(f"  {'ok  ' if check.passed else 'BAD '} {check.what}: {check.seen}" for check in report.checks), sep="\n"
        )
    if not report.passed:
        bad = ", ".join(check.what for check in report.checks if not check.passed)
        way = _way_back(kept, flash)
        here = f"it answers: see 'wattrail device info'; its settings: wattrail device restore HOST {kept}; "
        hint = way if report.after is None else here + way
        raise VerifyError(f"after the update the device is not well: {bad}", hint=hint)
    if not json:
        print(f"updated: {before.version} -> {report.after.version if report.after else ''}")


def _update(
    host: str, options: DeviceOptions | None, plan: OtaPlan, taken: DeviceBackup, kept: Path, dump: Path | None
) -> OtaReport:
    from wattrail.device import update

    async def work(client: OpenBekenClient) -> OtaReport:
        return await update(
            client, plan, taken, pause=pause, clock=clock.CLOCK, note=output.note,
            progress=progress_of("sending the image"), restores_files=plan.overwrites_files,
        )  # fmt: skip

    try:
        return on_device(host, options, work)
    except WattrailError as error:
        error.add_note(
            "The old firmware still runs, or starts again: the bootloader installs a whole image only. "
            f"If the device does not come back: {_way_back(kept, dump)}"
        )
        raise


def _way_back(kept: Path, dump: Path | None) -> str:
    if dump is None:
        return (
            f"by wire: wattrail flash write PORT IMAGE, with the image it ran; then wattrail device restore HOST {kept}"
        )
    return f"by wire: wattrail flash restore PORT {dump}"


def _plan_lines(plan: OtaPlan, before: DeviceInformation, image: Path) -> list[str]:
    mark = "SIMULATED: " if before.is_simulated else ""
    lines = [
        f"{mark}{before.short_name}, a {before.chipset} with OpenBeken {before.version}",
        f"  {image.name}: OpenBeken {plan.version or 'of no known version'} for {plan.chip.value}, {plan.order}",
        f"  {len(plan.data)} of {plan.room} bytes of the space for an update",
    ]
    if plan.overwrites_files:
        lines.append("  it overwrites the files of the device, which are kept and put back afterwards")
    if plan.order == "older":
        lines.append("  an older firmware may not know all settings of the newer one")
    return lines


def _plan_json(plan: OtaPlan, before: DeviceInformation) -> dict[str, object]:
    return {
        "chip": plan.chip.value, "from": before.version, "to": plan.version, "order": plan.order,
        "bytes": len(plan.data), "room": plan.room, "simulated": before.is_simulated,
    }  # fmt: skip


def _report_json(report: OtaReport, kept: Path, dump: Path | None) -> dict[str, object]:
    checks = [check.as_json() for check in report.checks]
    return {"done": report.passed, "checks": checks, "backup": str(kept), "flash": str(dump) if dump else None}
