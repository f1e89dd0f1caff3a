"""Metering chips, a folder each: their registers, links and constants. Pure: bytes in, events out."""
