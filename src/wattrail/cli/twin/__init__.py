"""Verbs about digital twins."""
