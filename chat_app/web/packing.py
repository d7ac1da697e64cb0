"""Compression: who takes it, and how a page gets smaller without its length telling secrets (docs/adr/0008).

Static files are compressed once by `templates`; `base` packs those pages whose handlers say so.
"""

from __future__ import annotations

import gzip
import io
import re
import secrets

BLUR_BYTES = 100
"""So many bytes at most hide how well a page went together with what others wrote in it."""
_LEVEL = 5  # a room page takes a millisecond, and level 9 makes it no smaller worth mentioning


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` (RFC 9110, 12.5.3) names gzip and does not forbid it."""
    for part in accepted.lower().split(","):
        name, _, parameter = (word.strip() for word in part.partition(";"))
        if name == "gzip":
            return re.fullmatch(r"q\s*=\s*0(\.0*)?", parameter) is None
    return False


def pack(page: bytes) -> bytes:
    """Compressed, with a file name of random length in the gzip header (as "Heal the Breach" does it)."""
    packed = io.BytesIO()
    name = secrets.token_urlsafe(BLUR_BYTES)[: secrets.randbelow(BLUR_BYTES)]
    with gzip.GzipFile(name, "wb", _LEVEL, packed, mtime=0) as file:
        file.write(page)
    return packed.getvalue()
