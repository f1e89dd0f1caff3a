"""Verbs about the programs and people that meters are published to."""
