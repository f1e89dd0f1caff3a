"""Verbs about the flash of a board: each opens a port, and closes it with the state of the flash said in words."""
