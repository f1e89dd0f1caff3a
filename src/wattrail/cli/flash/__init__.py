"""Verbs about the flash of a board: each opens a port, and says what state it left the flash in."""
