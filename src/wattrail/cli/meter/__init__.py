"""Verbs that talk to one meter."""
