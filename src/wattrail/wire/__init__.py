"""Bytes: register descriptors, bit fields, checksums, hexdumps. Pure."""

from wattrail.wire.checksum import inverted_sum
from wattrail.wire.hexdump import hex_pairs
from wattrail.wire.register import Access, Field, Register

__all__ = ["Access", "Field", "Register", "hex_pairs", "inverted_sum"]
