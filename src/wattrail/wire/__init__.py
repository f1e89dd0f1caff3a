"""Bytes: register descriptors, bit fields, checksums, bytes as text. Pure."""

from wattrail.wire.octets import hex_pairs, inverted_sum
from wattrail.wire.register import Access, Field, Register

__all__ = ["Access", "Field", "Register", "hex_pairs", "inverted_sum"]
