"""Verbs about firmware images: files, never a port."""
