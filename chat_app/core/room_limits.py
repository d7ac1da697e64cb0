"""How much a room keeps, sends at a time and lets wait. Read as `room_limits.NAME`, so that a test can make a
room small.
"""

RING_ENTRIES = 1_024
RING_LIMIT_BYTES = 1 << 20
RESUME_LIMIT = 1_000
"""Changes; who is further behind is told `reset`."""
PAGE_MESSAGES = 100
WRITE_LIMIT_BYTES = 65_536
"""Handed to a socket at a time."""
SLICE_SOCKETS = 256
"""Sockets served before the loop gets a turn; a send costs about 8 µs."""
JOIN_SLICE = 64
"""Cursors that get their first page before the loop gets a turn: after a restart thousands wait."""
PACE_SECONDS = 0.005
"""The longest pause after a large flush, in which messages gather (docs/adr/0002)."""
WAITING_CHANGES = 256
WAITING_BYTES = 1 << 20
"""Of changes that came before the one they follow; what finds no place is read from the store."""
