"""Judges what every client saw against what was typed, acknowledged and stored: the promise of docs/protocol.md.

`Record` gathers during a test, `problems` says in sentences what was broken; an empty list is the promise kept.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]


@dataclass
class Step:
    """Something a client applied: a `history` frame by its mode, or a live change by its type."""

    kind: str
    messages: list[Message]
    seq: int


class Tape:
    """All that one client applied in one room, in its order."""

    def __init__(self, member: str, room: str) -> None:
        self.member, self.room = member, room
        self.steps: list[Step] = []
        self.lines = 0
        self.gaps = 0
        """Live frames beyond the next one: on one line that is a hole."""
        self.stale = 0
        """Live frames at or below the position: on one line that is a duplicate."""

    def opened(self) -> None:
        self.lines += 1

    def history(self, mode: str, messages: list[Message], seq: int, epoch: str) -> None:
        self.steps.append(Step(mode, messages, seq))

    def change(self, kind: str, message: Message, seq: int) -> None:
        self.steps.append(Step(kind, [message], seq))

    def count(self, *kinds: str) -> int:
        return sum(step.kind in kinds for step in self.steps)


@dataclass
class Stored:
    """A room as the store has it: its head, and its messages by seq."""

    head: int
    messages: list[Message]


@dataclass
class Record:
    """What was typed, what was acknowledged, and the tapes."""

    texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Nonce to (room, text)."""
    acks: dict[str, set[tuple[str, str, int]]] = field(default_factory=dict)
    """Nonce to every (room, id, seq) it was ever acknowledged with."""
    tapes: list[Tape] = field(default_factory=list)

    def tape(self, member: str, room: str) -> Tape:
        self.tapes.append(Tape(member, room))
        return self.tapes[-1]

    def typed(self, nonce: str, room: str, text: str) -> None:
        self.texts[nonce] = room, text

    def acknowledged(self, nonce: str, room: str, message_id: str, seq: int) -> None:
        self.acks.setdefault(nonce, set()).add((room, message_id, seq))


def problems(record: Record, store: dict[str, Stored], *, amended: bool = False) -> list[str]:
    """Every broken promise as a sentence. `amended`: there were edits or deletions, which take numbers too."""
    found: list[str] = []
    for room, stored in store.items():
        found += _store_problems(room, stored, record, amended=amended)
    found += _ack_problems(record, store)
    for tape in record.tapes:
        found += _tape_problems(tape, store[tape.room])
    return found


def _store_problems(room: str, stored: Stored, record: Record, *, amended: bool) -> list[str]:
    found = []
    seqs = [message["seq"] for message in stored.messages]
    if not amended and seqs != list(range(1, stored.head + 1)):
        found.append(f"{room}: the store is not contiguous up to {stored.head}: {_odd(seqs)}")
    if len(set(seqs)) != len(seqs) or any(seq > stored.head for seq in seqs):
        found.append(f"{room}: a seq is there twice, or beyond the head")
    nonces = Counter(message["nonce"] for message in stored.messages if "nonce" in message)
    found += [f"{room}: {nonce} is stored {count} times" for nonce, count in nonces.items() if count > 1]
    for message in stored.messages:
        nonce = message.get("nonce")
        if nonce is not None and record.texts.get(nonce, (room, None))[0] != room:
            found.append(f"{room}: {nonce} was typed in another room")
        if nonce in record.texts and not amended and record.texts[nonce][1] != message.get("text"):
            found.append(f"{room}: {nonce} is stored with another text")
    return found


def _ack_problems(record: Record, store: dict[str, Stored]) -> list[str]:
    found = []
    by_id = {message["id"]: (room, message) for room, stored in store.items() for message in stored.messages}
    for nonce, acks in record.acks.items():
        if len(acks) > 1:
            found.append(f"{nonce} was acknowledged as {sorted(acks)}")
        for room, message_id, seq in acks:
            stored = by_id.get(message_id)
            if stored is None:
                found.append(f"{room}: {nonce} was acknowledged as {seq} and is lost")
            elif stored[0] != room or stored[1]["seq"] != seq or stored[1].get("nonce") != nonce:
                found.append(f"{room}: {nonce} was acknowledged as {seq} and stored as {stored[1]['seq']}")
    return found


def _tape_problems(tape: Tape, stored: Stored) -> list[str]:
    """Plays the tape again. The view begins where the last `latest` or `reset` put it."""
    who = f"{tape.member} in {tape.room}"
    found: list[str] = []
    position, view = 0, dict[str, Message]()
    begin: int | None = None
    for step in tape.steps:
        if step.kind in ("latest", "reset"):
            view.clear()
            first = step.messages[0]["seq"] if step.messages else step.seq + 1
            begin = 0 if first == 1 else first - 1
        elif begin is None:
            found.append(f"{who}: {step.kind} came before any history")
            begin = position = step.seq - 1
        elif step.kind == "resumed" and step.seq < position:
            found.append(f"{who}: resumed back to {step.seq} from {position}")
        elif step.kind != "resumed" and step.seq != position + 1:
            found.append(
                f"{who}: {'hole' if step.seq > position else 'duplicate'}: {step.seq} after {position}"
            )
        found += _doubled(who, step, view, position)
        position = step.seq
        view.update({message["id"]: message for message in step.messages})
    if tape.gaps or tape.stale:
        found.append(f"{who}: {tape.gaps} live frames beyond the next one, {tape.stale} below it")
    if position != stored.head:
        found.append(f"{who}: stands at {position}, the store at {stored.head}")
    seen = sorted(view.values(), key=lambda message: message["seq"])
    seen = [message for message in seen if message["seq"] > (begin or 0)]
    wanted = [message for message in stored.messages if message["seq"] > (begin or 0)]
    if seen != wanted:
        lost = [m["seq"] for m in wanted if m not in seen]
        foreign = [m["seq"] for m in seen if m not in wanted]
        found.append(f"{who}: its view is not the store's: lacks {lost[:9]}, has {foreign[:9]}")
    return found


def _doubled(who: str, step: Step, view: dict[str, Message], position: int) -> list[str]:
    """What is told as new must not be known; what is told again must have changed."""
    if step.kind in ("latest", "reset"):
        return [f"{who}: a page has a message twice"] * (
            len({m["id"] for m in step.messages}) < len(step.messages)
        )
    found = []
    seen: set[str] = set()
    order = [message["seq"] for message in step.messages]
    if order != sorted(order):
        found.append(f"{who}: {step.kind} is not in order: {_odd(order)}")
    for message in step.messages:
        again = message["id"] in view or message["id"] in seen
        changed = not message.keys().isdisjoint(("editedAt", "deletedAt", "reactions", "pinnedAt"))
        if again and (step.kind == "message" or not changed or message["id"] in seen):
            found.append(f"{who}: duplicate of {message['seq']} by {step.kind} {step.seq}")
        if step.kind == "resumed" and not again and not changed and message["seq"] <= position:
            found.append(f"{who}: {message['seq']} came late, after {position}")
        seen.add(message["id"])
    return found


def _odd(seqs: list[int]) -> str:
    """Where a list of numbers stops being one after the other."""
    breaks = [f"{a}→{b}" for a, b in zip([0, *seqs], seqs, strict=False) if b != a + 1]
    return ", ".join(breaks[:9]) or f"ends at {seqs[-1] if seqs else 0}"
