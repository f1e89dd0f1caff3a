"""Chance with a seed: every property test tries the same cases on every run, however slow the machine is.

``HYPOTHESIS_PROFILE=fresh`` tries others on every run, as ``make fuzz`` does. What fails there is printed with the
example and with a ``@reproduce_failure`` line; ``--hypothesis-seed`` with the printed seed repeats the whole run.
"""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.register_profile("fresh", settings.get_profile("repeatable"), derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# A shell starts what it puts into the background deaf to Ctrl-C, and its children inherit that: the stories in which
# Ctrl-C is pressed need ears.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
