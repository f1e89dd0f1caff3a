"""The tables of webhooks and e-mail in wattrail.toml: what they become, and what is refused by file, line and field."""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path

import pytest

from tests.app.test_publish_config import planned, refused
from wattrail.publish.delivery import MessagePlan
from wattrail.publish.email import EmailSender
from wattrail.publish.template import PRESETS
from wattrail.publish.webhook import WebhookSender

HOOK = '[[publish.webhook]]\nname = "phone"\nurl = "https://ntfy.sh/planted"\nevents = ["alarms"]\n'
MAIL = """[publish.email]
server = "smtp://mail.lan"
from = "meters@example.org"
to = ["a@example.org"]
events = ["alarms"]
"""


@pytest.mark.parametrize(
    ("text", "target", "tls"),
    [
        (MAIL, "smtp://mail.lan:587 (a@example.org)", "starttls"),
        (MAIL.replace("mail.lan", "mail.lan:25") + 'tls = "none"', "smtp://mail.lan:25 (a@example.org)", "none"),
        (MAIL.replace("smtp:", "smtps:"), "smtps://mail.lan:465 (a@example.org)", "implicit"),
    ],
)
def test_the_url_of_the_mail_server_says_how_it_is_encrypted(text: str, target: str, tls: str) -> None:
    (mail,) = planned(text).consumers
    assert isinstance(mail, MessagePlan)
    assert isinstance(mail.sender, EmailSender)
    assert (mail.name, mail.target, mail.sender.tls) == ("email", target, tls)


def test_reports_have_a_time_and_a_tariff_for_all_consumers(tmp_path: Path) -> None:
    tariff = tmp_path / "tariff.toml"
    tariff.write_text('currency = "EUR"\n[[price]]\nfrom = 2026-01-01\nrates = 0.30\n')
    for consumer in planned(f'{MAIL}{HOOK}[publish.report]\nat = "07:00"\ntariff = "{tariff}"\n').consumers:
        assert isinstance(consumer, MessagePlan)
        assert consumer.reports.at == time(7, 0)
        assert consumer.reports.tariff is not None


def test_a_tariff_that_does_not_fit_is_refused_by_its_own_file(tmp_path: Path) -> None:
    tariff = tmp_path / "tariff.toml"
    tariff.write_text('currency = "EUR"\nprice = 3\n')
    assert f"{tariff}, line 2: price" in refused(f'{MAIL}[publish.report]\ntariff = "{tariff}"\n')


def test_webhooks_become_consumers_with_names_of_their_own(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("a certificate")
    phone, script = planned(f"""
{HOOK}preset = "ntfy"
[[publish.webhook]]
name = "script"
url = "http://192.168.1.5:8123/api/webhook/meters?at=home"
events = ["alarms", "daily", "monthly"]
login = "home"
secret = "signing"
ca_file = "{authority}"
template = '{{"what": $subject}}'
""").consumers
    assert isinstance(phone, MessagePlan)
    assert isinstance(script, MessagePlan)
    assert (phone.name, script.name) == ("webhook.phone", "webhook.script")
    assert (phone.target, phone.events) == ("https://ntfy.sh/…", {"alarms"})
    assert isinstance(phone.sender, WebhookSender)
    assert isinstance(script.sender, WebhookSender)
    assert phone.sender.body == PRESETS["ntfy"]
    assert (phone.sender.login, phone.sender.secret) == (None, None), "no login is sent unless it is named"
    assert (script.sender.login, script.sender.secret, script.sender.ca_file) == ("home", "signing", authority)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[[publish.webhook]]\nname = "a"\nurl = "http://b"', r"publish.webhook\[1\].events: this field is missing"),
        (HOOK.replace('"alarms"', '"alarm"'), r"events\[1\]: must be 'alarms', 'daily' or 'monthly', got 'alarm'"),
        (HOOK.replace('"alarms"', ""), r"publish.webhook\[1\].events"),
        (HOOK.replace("https://ntfy.sh", "ftp://ntfy.sh"), r"url: must be like https://ntfy.sh/my-meters"),
        (HOOK.replace("ntfy.sh", "u:planted@ntfy.sh"), r"must not contain a user or a password"),
        (HOOK.replace("planted", "a b"), r"ASCII without spaces"),
        (HOOK.replace("phone", "my phone"), r"name: must be letters, digits, - and _, 40 at most"),
        (HOOK + HOOK, r"line 9: publish.webhook\[2\].name: a second webhook is named 'phone'"),
        (HOOK + 'preset = "pager"', r"preset: must be 'ntfy', 'gotify', 'slack' or 'discord'"),
        (HOOK + 'preset = "ntfy"\ntemplate = "$text"', r"template: preset = 'ntfy' has a template of its own"),
        (HOOK + 'format = "text"', r"format: belongs to a template, and there is none"),
        (
            HOOK + "template = '{\"a\": $txt}'",
            r"template: unknown field \$txt \| known: id, type, time, subject, text,",
        ),
        (HOOK + "template = 'costs 3 $'", r"template: a \$ stands for nothing \| write \$\$"),
        (HOOK + 'template = \'{"a": "$text"}\'', r"is not JSON once its fields are filled in.* quotes"),
        ('[publish.report]\nat = "7:00"', r"publish.report.at: must be a local time such as 07:00, got '7:00'"),
        ('[publish.report]\nat = "24:00"', r"must be a local time such as 07:00"),
        ('[publish.report]\ntariff = "none.toml"', r"publish.report.tariff: there is no file 'none.toml'"),
        (MAIL.replace("smtp:", "mail:"), r"server: must be like smtp://mail.lan:587 or smtps://smtp.example.org"),
        (MAIL.replace("mail.lan", "mail.lan/in"), r"server: must end with host or port"),
        (MAIL.replace("from", "sender"), r"publish.email has no field 'sender'; known: .*from"),
        (MAIL.replace('["a@example.org"]', "[]"), r"publish.email.to: "),
        (MAIL.replace("a@example", "a b@example"), r"to\[1\]: must be an address such as owner@example.org"),
        (MAIL.replace("meters@example.org", "meters"), r"from: must be an address such as owner@example.org"),
        (MAIL + 'tls = "none"\nlogin = "x"', r"login: with tls = \"none\" its password would be sent unencrypted"),
        (MAIL.replace("smtp:", "smtps:") + 'tls = "none"', r"tls: an smtps:// server has TLS"),
    ],
)
def test_what_cannot_work_is_refused_by_line_and_field(text: str, complaint: str) -> None:
    said = refused(text)
    assert re.search(complaint, said), said
    assert "planted" not in said
