"""Benchmarks: each module measures one thing beside its peer, in one run.

``make bench`` runs them all, ``make bench ARGS=day`` one.
"""
