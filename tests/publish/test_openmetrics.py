"""The page of metrics, read by the parsers of prometheus-client."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.publish.rig import AT, view
from wattrail.gateway import MeterState, MeterView
from wattrail.publish.openmetrics import metrics_page, wants_openmetrics
from wattrail.units import Quantities

Samples = dict[tuple[str, str], float]


def samples(*views: MeterView, has_kwh: bool = False, openmetrics: bool = True) -> Samples:
    page = metrics_page(views, has_kwh=has_kwh, openmetrics=openmetrics)
    parse = parse_openmetrics if openmetrics else parse_text
    return {
        (sample.name, sample.labels.get("meter", "")): sample.value
        for family in parse(page)
        for sample in family.samples
    }


@pytest.mark.parametrize("openmetrics", [True, False])
def test_a_strict_parser_reads_registers_and_quantities(openmetrics: bool) -> None:
    found = samples(view(), openmetrics=openmetrics)
    assert found["wattrail_energy_import_joules_total", "house"] == 1_234_567_891 * 3.6
    assert found["wattrail_energy_export_joules_total", "house"] == 89_012_345 * 3.6
    assert found["wattrail_active_power_watts", "house"] == -1834.5
    assert found["wattrail_voltage_volts", "house"] == 230.4
    assert found["wattrail_current_amperes", "house"] == -7.963
    assert found["wattrail_frequency_hertz", "house"] == 49.98
    assert found["wattrail_power_factor_ratio", "house"] == -0.99
    assert found["wattrail_last_reading_timestamp_seconds", "house"] == AT.timestamp()
    assert found["wattrail_meter_live", "house"] == 1.0


def test_families_have_the_types_and_units_of_the_naming_rules() -> None:
    families = {family.name: family for family in parse_openmetrics(metrics_page([view()], has_kwh=True))}
    assert families["wattrail_energy_import_joules"].type == "counter"
    assert families["wattrail_energy_import_joules"].unit == "joules"
    assert families["wattrail_energy_import_kwh"].unit == "kwh"
    assert families["wattrail_active_power_watts"].type == "gauge"
    assert families["wattrail_meter"].type == "info"
    assert all(family.documentation for family in families.values())


def test_kilowatt_hours_come_on_request_beside_joules() -> None:
    assert ("wattrail_energy_import_kwh_total", "house") not in samples(view())
    assert samples(view(), has_kwh=True)["wattrail_energy_import_kwh_total", "house"] == pytest.approx(1234.567891)


@pytest.mark.parametrize("state", [state for state in MeterState if state is not MeterState.LIVE])
def test_a_meter_that_is_not_live_has_no_values(state: MeterState) -> None:
    names = {name for name, meter in samples(view(state=state)) if meter == "house"}
    assert names == {"wattrail_meter_info", "wattrail_meter_live", "wattrail_last_reading_timestamp_seconds"}
    assert samples(view(state=state))["wattrail_meter_live", "house"] == 0.0


def test_what_is_unknown_is_absent_and_never_zero() -> None:
    found = samples(view(known=Quantities(volts=230.0), total=None))
    assert ("wattrail_active_power_watts", "house") not in found
    assert ("wattrail_energy_import_joules_total", "house") not in found


def test_many_meters_share_each_family_and_a_twin_is_marked() -> None:
    page = metrics_page([view("house"), view("shed", simulated=True)])
    assert page.count("# TYPE wattrail_active_power_watts gauge") == 1
    marks = {
        sample.labels["meter"]: sample.labels["simulated"]
        for family in parse_openmetrics(page)
        if family.name == "wattrail_meter"
        for sample in family.samples
    }
    assert marks == {"house": "false", "shed": "true"}


def test_any_text_survives_as_a_label() -> None:
    name = 'a "quoted" \\ name\nand a line'
    assert ("wattrail_meter_live", name) in samples(view(name))


def test_no_meter_at_all_is_a_page_that_parses() -> None:
    assert samples() == {("wattrail_build_info", ""): 1.0}


def test_the_accept_header_chooses_the_format() -> None:
    prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    assert wants_openmetrics(prometheus)
    assert not wants_openmetrics("text/html,*/*;q=0.8")


def test_an_estimate_has_a_label() -> None:
    page = metrics_page([view("house"), replace(view("plug"), has_estimates=True)])
    marked = [line for line in page.splitlines() if 'estimated="true"' in line]
    assert len(marked) == 1
    assert 'meter="plug"' in marked[0]
