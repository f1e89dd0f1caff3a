"""Simulated network meters: what a firmware or a device shows of the energy that flows through it."""
