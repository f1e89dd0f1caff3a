"""Verbs about the account of a meter."""
