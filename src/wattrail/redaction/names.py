"""Names that stand before private values, and words that are not private behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wattrail.redaction.kinds import MIN_ENCODED, Private, PrivateKind
from wattrail.redaction.views import FOLDS

__all__ = ["EVERYBODY", "HARMLESS", "KIND_OF_NAME", "LOCAL", "NO_HOSTS", "PUBLIC", "is_placed"]

_NAMES: Final = {
    PrivateKind.NETWORK: "ssid ssid1 ssid2 ssid_name wifi_ssid wifissid sta_ssid ap_ssid essid wifi network_name",
    PrivateKind.KEY: """
        password passwd pass pwd pw psk pskkey passphrase wpa_psk wifi_password wifi_pw wifi_psk ota_password mqtt_pass
        mqtt_password login_password key auth_key authkey local_key localkey sec_key seckey app_key api_key apikey
        encryption_key secret client_secret token access_token refresh_token bearer session cookie credential
    """,
    PrivateKind.USER: "user username user_name login mqtt_user owner",
    PrivateKind.HOST: """
        host hostname host_name mqtt_host server broker nodename fqdn device_name friendly_name dhcp_name
    """,
    PrivateKind.SERIAL: """
        serial serialnumber serial_number serial_no sn uuid devid dev_id device_id gwid gw_id hid cid imei iccid eui
        meter_id equipment_id equipment_identifier machine_id boot_id client_id clientid mqtt_clientid mqtt_client
    """,
    PrivateKind.PLACE: "lat latitude lon lng long longitude coordinates coords location geo gps street postcode zip",
    PrivateKind.HARDWARE: "mac macaddr mac_address mac_addr hwaddr bssid ether",
    PrivateKind.ADDRESS: "ip ipaddr ip_address ipaddress gateway gw dns dns1 dns2 remote_addr",
}
"""In lower case with ``_`` for every other sign, as Tuya, OpenBeken, Tasmota and configuration files have them."""

KIND_OF_NAME: Final[Mapping[str, PrivateKind]] = {
    name: kind for kind, names in _NAMES.items() for name in names.split()
}

_SENTENCE: Final = """
    true false none null yes no on off 0 1 *** wrong missing refused unknown invalid empty set unset not is are the a an
    and or of for in to it left given stored kept removed any all same other new old default string text str integer
    number float boolean bool required optional expected got
"""
HARMLESS: Final = frozenset(_SENTENCE.split())
"""Words that a sentence has behind a colon: "the password: wrong"."""

EVERYBODY: Final = frozenset({"root", "wattrail", "nobody", "www-data", "postgres", "mosquitto"})
"""Users that many machines have."""

_MACHINES: Final = """
    alpine armbian debian fedora linux raspbian raspberrypi ubuntu windows box computer container desktop docker esphome
    grafana hassio home homeassistant house laptop machine meter meters node openbeken plug port power proxmox python
    raspberry report shelly tasmota test time zone energy solar kitchen office room cellar garage roof address addresses
    network networks names users value label labels hand same still read support clock database disk page service files
    kernel version versions configuration ports access brokers certificate register entry entries reading readings mqtt
"""
_ORDINARY: Final = frozenset({*_MACHINES.split(), *HARMLESS, *EVERYBODY, *KIND_OF_NAME})
"""Names of hosts and users that any text about meters has as words: Debian's own host name is "debian".

Removed everywhere they would take "Debian" out of the version and "meter" out of every line, and hide nobody.
"""

LOCAL: Final = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})

PUBLIC: Final = frozenset({"github.com", "docs.python.org", "www.home-assistant.io"})
"""Hosts that pages of documentation name."""

NO_HOSTS: Final = frozenset({"twin", "replay", "serial", "spi", "ftdi", "gpio", "sqlite", "file", "boot"})
"""Schemes whose URL names a file, a port or a model, and no machine."""


def is_placed(private: Private, text: str) -> bool:
    """Whether a value, in this spelling, goes only where such values stand: it is short, or an ordinary word."""
    is_word = private.kind in {PrivateKind.HOST, PrivateKind.USER} and text.casefold() in _ORDINARY
    return is_word or len(FOLDS.sub("", text).encode()) < MIN_ENCODED
