"""Ids of messages, made here so that a message has one before it is stored."""

from __future__ import annotations

import secrets
import uuid


def message_id(now_ms: int) -> str:
    """A UUID of version 7 (RFC 9562 section 5.7): ordered by time, so that the index grows at its end."""
    value = (now_ms << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (2 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=value))
