"""Ids of messages, made here so that a message has one before it is stored."""

from __future__ import annotations

import os


def message_id(now_ms: int) -> str:
    """A UUID of version 7 (RFC 9562 section 5.7): ordered by time, so that the index grows at its end."""
    random = int.from_bytes(os.urandom(10))
    digits = f"{now_ms << 80 | 7 << 76 | (random & 0xFFF) << 64 | 2 << 62 | random >> 18:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
