"""Verbs about the consumers that meters are published to."""
