"""A running OpenBeken over its web server: its settings kept, changed and put back, its firmware updated."""

from wattrail.device.backup import DeviceBackup, read_backup, take_backup, write_backup
from wattrail.device.client import DeviceInformation, OpenBekenClient, open_client
from wattrail.device.ota import OtaPlan, OtaReport, check_image, update
from wattrail.device.restart import Pause, reboot
from wattrail.device.settings_file import read_settings, read_template, read_wifi
from wattrail.device.setup import SetupPlan, SetupReport, apply_setup, plan_setup

__all__ = [
    "DeviceBackup",
    "DeviceInformation",
    "OpenBekenClient",
    "OtaPlan",
    "OtaReport",
    "Pause",
    "SetupPlan",
    "SetupReport",
    "apply_setup",
    "check_image",
    "open_client",
    "plan_setup",
    "read_backup",
    "read_settings",
    "read_template",
    "read_wifi",
    "reboot",
    "take_backup",
    "update",
    "write_backup",
]
