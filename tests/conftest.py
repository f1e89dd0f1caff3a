"""Chance with a seed: every property test tries the same cases on every run, however slow the machine is."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "wattrail", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("wattrail")

# A shell starts what it puts into the background deaf to Ctrl-C, and its children inherit that: the stories in which
# Ctrl-C is pressed need ears.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
