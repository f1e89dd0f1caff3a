"""The command line: a file for a verb, or for a few small ones; the only room that prints, reads settings, or exits."""
