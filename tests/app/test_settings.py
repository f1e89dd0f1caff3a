"""The settings of a running gateway: what is changed is checked, written once, and taken up; or nothing is."""

from __future__ import annotations

import os
import re
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from wattrail.app import ServicePlan, load_config, plan_service
from wattrail.app.settings import Settings, SettingsConflict, SettingsInvalid
from wattrail.app.settings_actions import settings_actions
from wattrail.app.settings_document import SettingsChange
from wattrail.app.settings_file import SettingsFile
from wattrail.app.settings_schema import settings_schema, values_of_format
from wattrail.app.settings_secrets import hide_in_text, restore_in_text
from wattrail.errors import ConfigError, StoreError
from wattrail.transport import SCHEMES, is_wired
from wattrail.web.problems import RequestRefused

HOUSE = '[[meter]]\nname = "house"   # under the stairs\nurl = "twin://pziot-e01?watts=1000&seed=7"\n'
HOOK = '[[publish.webhook]]\nname = "phone"\nurl = "https://ntfy.sh/planted-secret"\nevents = ["alarms"]\n'


class Running:
    """A service, as far as settings know one."""

    def __init__(self, plan: ServicePlan) -> None:
        self.plan, self.renamed = plan, list[tuple[str, str]]()
        self.reloads = threading.Event()
        self.refusal: StoreError | None = None

    def rename_meter(self, old: str, new: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.renamed.append((old, new))


class Desk:
    """A file, a service that runs by it, and its settings."""

    def __init__(self, folder: Path, text: str | None) -> None:
        self.path, self.database = folder / "wattrail.toml", folder / "w.sqlite"
        if text is not None:
            self.path.write_text(f'{text}[store]\npath = "{self.database}"\n')
        self.settings = Settings(SettingsFile(self.path), plan_service)
        self.running = Running(plan_service(load_config(self.path) if text is not None else None))
        self.settings.follow(self.running, self.running.reloads.set)

    @property
    def version(self) -> str:
        return self.settings.file.read().version

    def change(self, table: str, item: int | None = None, **value: Any) -> Any:
        return self.settings.change(self.version, [SettingsChange(table=table, item=item, value=value)])

    def action(self, name: str, **arguments: Any) -> Any:
        return settings_actions(self.settings)[name](arguments)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, HOUSE)


def test_a_change_is_written_kept_once_and_taken_up(desk: Desk) -> None:
    before = desk.path.read_text()
    desk.path.chmod(0o640)
    done = desk.change("meter", 0, name="house", url="twin://pziot-e01?watts=500&seed=7")
    assert done.changes == ("changed meter house",)
    assert desk.path.read_text() == before.replace("watts=1000", "watts=500")
    assert desk.settings.file.backup.read_text() == before
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o640
    assert done.version == desk.version
    assert desk.running.reloads.wait(60)


def test_what_would_change_is_said_and_nothing_is_written(desk: Desk) -> None:
    before = desk.path.read_text()
    roof = {"name": "roof", "url": "twin://pziot-e01?watts=9&seed=1"}
    said = desk.settings.check(desk.version, [SettingsChange(table="meter", value=roof)])
    assert said.changes == ("added meter roof",)
    assert desk.path.read_text() == before


def test_a_wrong_value_changes_nothing_and_names_its_field(desk: Desk) -> None:
    before = desk.path.read_text()
    with pytest.raises(RequestRefused) as refused:
        desk.action(
            "settings.change",
            version=desk.version,
            changes=[{"table": "meter", "item": 0, "value": {"name": "house", "url": "nonsense://x", "poll_s": 0.1}}],
        )
    problem = refused.value.problem
    assert problem.kind == "invalid"
    assert [one["where"] for one in problem.more["errors"]] == ["meter.0.url", "meter.0.poll_s"]  # type: ignore[index, attr-defined]
    assert desk.path.read_text() == before


def test_two_who_edit_at_once_do_not_undo_each_other(desk: Desk) -> None:
    seen = desk.version
    desk.change("log", level="info")
    with pytest.raises(SettingsConflict, match="was changed after you had opened it"):
        desk.settings.change(seen, [SettingsChange(table="log", value={"level": "debug"})])
    assert 'level = "info"' in desk.path.read_text()


def test_a_file_broken_by_hand_is_named_by_its_line_and_corrected(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HOUSE + HOOK)
    good = desk.path.read_text()
    desk.path.write_text(good.replace('name = "house"', "name = house"))
    shown = desk.action("settings.show")
    assert shown["tables"] is None
    assert shown["problems"][0]["line"] == 2
    with pytest.raises(SettingsInvalid, match="line 2, column 8"):
        desk.change("log", level="info")
    text = desk.action("settings.text")
    corrected = text["text"].replace("name = house", 'name = "house"')
    assert "planted-secret" not in corrected
    desk.settings.change_text(text["version"], corrected)
    assert desk.path.read_text() == good


def test_what_needs_a_restart_is_refused_before_it_is_written(desk: Desk) -> None:
    before = desk.path.read_text()
    with pytest.raises(ConfigError, match=r"\[web\] host and port cannot change while the gateway runs"):
        desk.change("web", port=9000)
    with pytest.raises(ConfigError, match=r"\[site\] timezone"):
        desk.change("site", timezone="Europe/Berlin")
    assert desk.path.read_text() == before
    assert not desk.settings.file.backup.exists()


def test_a_webhooks_address_is_never_shown_and_stays(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HOUSE + HOOK)
    shown = desk.action("settings.show")
    assert "planted-secret" not in str(shown)
    (hook,) = shown["tables"]["publish"]["webhook"]
    assert hook["url"] == "(kept)"
    same = desk.settings.check(desk.version, [SettingsChange(table="publish.webhook", item=0, value=hook)])
    assert same.changes == ()  # what did not change runs on
    desk.change("publish.webhook", 0, **(hook | {"events": ["daily"]}))
    assert "https://ntfy.sh/planted-secret" in desk.path.read_text()
    with pytest.raises(ConfigError, match="where there is no secret yet"):
        desk.change("publish.webhook", None, name="other", url="(kept)", events=["daily"])


def test_a_mark_of_a_secret_cannot_be_moved_to_where_it_shows(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HOUSE + HOOK + HOOK.replace("phone", "other").replace("planted-secret", "second-one"))
    before, shown = desk.path.read_text(), desk.settings.text()
    first, _ = re.findall(r"\(kept [0-9a-f]{8}\)", shown)
    for moved in (
        shown.replace("ntfy.sh", "evil.example"),
        shown.replace('name = "phone"', f'name = "{first}"'),
        f"# {first}\n{shown}",
        shown.replace(first, "(kept 00000000)"),
    ):
        with pytest.raises(ConfigError, match="stands for a secret of another line, or of none"):
            desk.settings.change_text(desk.version, moved)
    desk.settings.change_text(desk.version, "# more\n" + shown.replace('name = "phone"', 'name = "tablet"'))
    assert desk.path.read_text() == "# more\n" + before.replace('name = "phone"', 'name = "tablet"')


def test_logins_in_urls_are_hidden_however_they_are_written(tmp_path: Path) -> None:
    text = "a = 'mqtt://anna:pl@nted@h'\nurl = \"http://h/?token=planted\"\npassword = 'planted' # mine\nx = [[[\n"
    shown = hide_in_text(text)
    assert "planted" not in shown.replace("pl@nted", "planted")
    assert shown.endswith("' # mine\nx = [[[\n")
    assert restore_in_text(shown, text) == text


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ("site", "tariffs", ["/etc/passwd"]),
        ("site", "tariffs", ["FOLDER/../outside.toml"]),
        ("site", "tariffs", ["FOLDER/link.toml"]),
        ("publish.report", "tariff", "/etc/passwd"),
        ("publish.openmetrics", "ca_file", "/etc/passwd"),
    ],
)
def test_files_elsewhere_are_not_opened_for_the_page(tmp_path: Path, table: str, field: str, value: Any) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "outside.toml").write_text('name = "x"\n')
    (tmp_path / "etc" / "link.toml").symlink_to("/etc/passwd")
    desk = Desk(tmp_path / "etc", HOUSE)
    folder = str(tmp_path / "etc")
    given = [one.replace("FOLDER", folder) for one in value] if isinstance(value, list) else value
    with pytest.raises(SettingsInvalid) as refused:
        desk.change(table, **{field: given})
    assert "root:" not in str(refused.value)
    if field != "ca_file":  # which this table does not have
        assert f"is outside of {folder}" in str(refused.value)


def test_a_tariff_beside_the_file_is_taken(desk: Desk) -> None:
    tariff = desk.path.with_name("green.toml")
    tariff.write_text('name = "G"\ncurrency = "EUR"\n[[price]]\nfrom = 2024-01-01\nrates = 0.32\nexport = 0.08\n')
    assert desk.change("site", tariffs=[str(tariff)]).changes[0] == "tariffs changed"


@pytest.mark.parametrize(
    "url", ["record:/tmp/x.jsonl?of=twin://pziot-e01", "replay:/etc/passwd", "twin://pziot-e01?scenario=/etc/passwd"]
)
def test_a_meter_that_is_a_file_is_not_added_by_the_page(desk: Desk, url: str) -> None:
    with pytest.raises(SettingsInvalid, match="reads or writes a file"):
        desk.change("meter", name="spy", url=url)
    assert not Path("/tmp/x.jsonl").exists()


def test_a_meter_on_wires_needs_the_word_that_it_is_isolated(desk: Desk) -> None:
    wired = SettingsChange(table="meter", value={"name": "cellar", "url": "serial:///dev/ttyUSB0?baud=4800"})
    with pytest.raises(SettingsInvalid, match="may touch mains potential") as refused:
        desk.settings.change(desk.version, [wired])
    assert refused.value.problems[0].path == ("safety", "confirmed")
    safe = SettingsChange(table="safety", value={"confirmed": "isolated"})
    assert desk.settings.change(desk.version, [wired, safe]).changes == ("added meter cellar",)


def test_what_is_saved_before_the_service_is_known_is_taken_up_then(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HOUSE)
    early = Settings(SettingsFile(desk.path), plan_service)
    early.change(desk.version, [SettingsChange(table="log", value={"level": "error"})])
    early.follow(desk.running, desk.running.reloads.set)
    assert desk.running.reloads.wait(60)


def test_the_first_meter_makes_the_file_of_init_and_ends_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    desk = Desk(tmp_path / "new", None)
    assert desk.action("settings.show")["simulated"]
    done = desk.change("meter", name="house", url="openbeken://192.168.1.20", poll_s=5)
    assert done.changes == ("the demonstration ended", "added meter house", "removed meters twin, roof")
    text = desk.path.read_text()
    assert text.startswith("# wattrail: which meters are read")
    assert (
        '# Its account is kept under this name.\nname = "house"\nurl = "openbeken://192.168.1.20"\npoll_s = 5\n' in text
    )
    assert [meter.name for meter in (load_config(desk.path) or pytest.fail("no file")).meter] == ["house"]
    assert desk.running.reloads.wait(60)


def test_a_meter_is_renamed_wherever_it_is_named(tmp_path: Path) -> None:
    alarm = '[[alarm]]\nkind = "meter-silent"\nmeters = ["house"] # mine\nfor_s = 60\n'
    desk = Desk(tmp_path, HOUSE + alarm + '[site]\ngrid = "house"\n[publish.p1]\nmeter = "house"\n')
    desk.settings.rename(desk.version, "house", "home")
    text = desk.path.read_text()
    assert '"house"' not in text
    assert 'name = "home"   # under the stairs' in text
    assert desk.running.renamed == [("house", "home")]
    assert desk.running.reloads.wait(60)


def test_a_rename_that_the_database_refuses_leaves_the_file(desk: Desk) -> None:
    before = desk.path.read_text()
    desk.running.refusal = StoreError("'home' has an account of its own")
    with pytest.raises(StoreError):
        desk.settings.rename(desk.version, "house", "home")
    assert desk.path.read_text() == before


def test_a_file_that_cannot_be_written_says_how_to_allow_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    with pytest.raises(ConfigError, match="cannot be written: Operation not permitted"):
        desk.change("log", level="info")
    assert sorted(one.name for one in desk.path.parent.iterdir()) == ["wattrail.toml"]


def test_every_field_has_its_help_and_every_path_is_marked() -> None:
    def fields(node: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
        found = []
        for name, one in node.get("properties", {}).items():
            inner = one.get("items", one)
            here = f"{path}{name}"
            found += fields(inner, f"{here}.") if "properties" in inner else [(here, one)]
        return found

    every = fields(settings_schema())
    assert len(every) > 80
    assert [name for name, one in every if not one.get("description")] == []
    files = {name for name, one in every if "file" in {one.get("format"), one.get("items", {}).get("format")}}
    assert files >= {"site.tariffs", "site.key", "site.certificate", "store.path", "publish.report.tariff"}
    assert [v for _, v in values_of_format({"publish": {"mqtt": {"ca_file": "/x"}}}, "file")] == ["/x"]


def test_the_form_asks_for_the_wiring_of_what_may_not_be_saved_without() -> None:
    wired = settings_schema()["properties"]["meter"]["items"]["properties"]["url"]["wired_schemes"]
    asked = {name: name in wired for name in SCHEMES}
    assert asked == {name: is_wired(scheme.example) for name, scheme in SCHEMES.items()} | {"record": False}
    assert not asked["rfc2217"]


def test_a_rename_that_takes_long_is_taken_up_when_it_is_done(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(desk.running, "rename_meter", hang)
    with pytest.raises(ConfigError, match="renaming 'house' takes long"):
        desk.settings.rename(desk.version, "house", "home")
    assert 'name = "home"' in desk.path.read_text()
    assert desk.running.reloads.wait(60)
