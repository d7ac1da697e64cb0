"""The client that the fault tests rely on does what the browser's does: both play tests/vectors/log.json."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.faults.checker import Record
from tests.faults.client import Member

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "log.json").read_text(encoding="utf-8"))


class Silent:
    """A line that only notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, payload: bytes) -> None:
        self.sent.append(json.loads(payload))


def frame_of(fields: dict[str, Any]) -> dict[str, Any]:
    messages = [{"id": key, "seq": seq, "userId": "other"} for key, seq in fields.get("messages", ())]
    frame = {"room": "lobby", **{name: value for name, value in fields.items() if name != "messages"}}
    if frame["type"] == "history":
        return {"epoch": "e1", "more": False, **frame, "messages": messages}
    return {**frame, "message": messages[0]} if messages else frame


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_member_follows_the_algorithm(vector: dict[str, Any]) -> None:
    member = Member("m", "lobby", "", lambda: ("", 0), Record(), random.Random(1))
    line = Silent()
    member.line = line  # type: ignore[assignment]
    for fields in vector["frames"]:
        member._take(frame_of(fields))
    shown: dict[str, int] = {}
    for step in member.tape.steps:
        if step.kind in ("latest", "reset"):
            shown.clear()
        shown.update({message["id"]: message["seq"] for message in step.messages})
    assert member.position == vector["position"]
    assert sorted(shown, key=lambda key: shown[key]) == vector["shown"]
    assert [event["since"] for event in line.sent if event["type"] == "join"] == vector["asked"]
