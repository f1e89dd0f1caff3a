"""Chance with a seed: every property test tries the same cases on every run."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("wattrail", derandomize=True, deadline=None)
settings.load_profile("wattrail")
