"""Verbs about kept calibrations, and what ``meter calibrate`` shares with them."""
