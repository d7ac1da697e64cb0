"""What the Python peers share: the event of a message, or None when it is none."""

import json
import uuid
from datetime import UTC, datetime


def relay(raw: str | bytes, room: str, sender: str) -> str | None:
    event = json.loads(raw)
    text = str(event.get("text", "")).strip()
    if event.get("type") != "message" or not text or len(text) > 500:
        return None
    message = {
        "id": str(uuid.uuid4()),
        "room": room,
        "from": sender,
        "text": text,
        "sentAt": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return json.dumps({"type": "message", "message": message}, separators=(",", ":"))
