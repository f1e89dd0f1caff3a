"""Alarms of meters: rules as data, and a state machine for each rule and meter.

Pure: what is known of the meters comes in, events go out.
"""

from wattrail.alarms.kinds import KINDS, AlarmKind, KindOfAlarm, MeterSnapshot, Side
from wattrail.alarms.quarter_hour import QuarterHour
from wattrail.alarms.rules import AlarmRule, QuietHours, Severity
from wattrail.alarms.standing import TEST_RULE, StandingAlarm, StoredAlarmEvent, standing_alarms
from wattrail.alarms.watch import AlarmWatch

__all__ = [
    "KINDS",
    "TEST_RULE",
    "AlarmKind",
    "AlarmRule",
    "AlarmWatch",
    "KindOfAlarm",
    "MeterSnapshot",
    "QuarterHour",
    "QuietHours",
    "Severity",
    "Side",
    "StandingAlarm",
    "StoredAlarmEvent",
    "standing_alarms",
]
