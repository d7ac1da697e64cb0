"""The checker finds each kind of broken promise: one that cannot fail shows nothing."""

import copy
from collections.abc import Callable

import pytest

from tests.faults.checker import Message, Record, Stored, problems


def message(seq: int, **more: str) -> Message:
    return {"id": f"m{seq}", "seq": seq, "text": f"text {seq}", "nonce": f"n{seq}", **more}


def evidence() -> tuple[Record, dict[str, Stored]]:
    """Six messages, all acknowledged; one client was there all the time, one came back, one was reset."""
    record = Record()
    store = {"lobby": Stored(6, [message(seq) for seq in range(1, 7)])}
    for seq in range(1, 7):
        record.typed(f"n{seq}", "lobby", f"text {seq}")
        record.acknowledged(f"n{seq}", "lobby", f"m{seq}", seq)
    live = record.tape("live", "lobby")
    live.history("latest", [], 0, "e")
    for seq in range(1, 7):
        live.change("message", message(seq), seq)
    back = record.tape("back", "lobby")
    back.history("latest", [message(1)], 1, "e")
    back.change("message", message(2), 2)
    back.history("resumed", [message(3), message(4), message(5)], 5, "e")
    back.change("message", message(6), 6)
    reset = record.tape("reset", "lobby")
    reset.history("latest", [message(1)], 1, "e")
    reset.history("reset", [message(5), message(6)], 6, "e")
    return record, store


def test_a_kept_promise_has_no_problems() -> None:
    assert problems(*evidence()) == []


def test_an_edit_that_arrived_is_no_problem() -> None:
    record, store = evidence()
    edited = message(2, text="new", editedAt="now")
    store["lobby"].head = 7
    store["lobby"].messages[1] = edited
    record.tapes[0].change("edited", edited, 7)
    record.tapes[1].history("resumed", [edited], 7, "e")
    record.tapes[2].history("resumed", [edited], 7, "e")
    assert problems(record, store, amended=True) == []


Break = Callable[[Record, dict[str, Stored]], object]
BROKEN: dict[str, tuple[Break, str]] = {
    "a live frame is missing": (lambda r, s: r.tapes[0].steps.pop(3), "live in lobby: hole: 4 after 2"),
    "the last frame is missing": (lambda r, s: r.tapes[0].steps.pop(), "live in lobby: stands at 5, the store at 6"),
    "a message is missing in what resumed brought": (
        lambda r, s: r.tapes[1].steps[2].messages.pop(1), "back in lobby: its view is not the store's: lacks [4]",
    ),
    "a message is missing after a reset": (
        lambda r, s: r.tapes[2].steps[1].messages.pop(1), "reset in lobby: its view is not the store's: lacks [6]",
    ),
    "a live frame comes twice": (
        lambda r, s: r.tapes[0].steps.insert(4, r.tapes[0].steps[3]), "live in lobby: duplicate: 3 after 3",
    ),
    "what was known is resumed once more": (
        lambda r, s: r.tapes[1].steps[2].messages.insert(0, message(2)), "back in lobby: duplicate of 2 by resumed 5",
    ),
    "the same message has two numbers": (
        lambda r, s: r.tapes[0].change("message", message(6), 7), "live in lobby: duplicate of 6 by message 7",
    ),
    "two frames changed places": (
        lambda r, s: r.tapes[0].steps.insert(2, r.tapes[0].steps.pop(3)), "live in lobby: hole: 3 after 1",
    ),
    "a page is not in order": (
        lambda r, s: r.tapes[1].steps[2].messages.reverse(), "back in lobby: resumed is not in order",
    ),
    "an older message comes late": (
        lambda r, s: r.tapes[2].history("resumed", [message(2)], 6, "e"), "reset in lobby: 2 came late, after 6",
    ),
    "resuming goes back": (
        lambda r, s: r.tapes[0].history("resumed", [], 4, "e"), "live in lobby: resumed back to 4 from 6",
    ),
    "a client counted a gap": (lambda r, s: setattr(r.tapes[0], "gaps", 1), "1 live frames beyond the next one"),
    "a client counted a stale frame": (lambda r, s: setattr(r.tapes[0], "stale", 1), "1 below it"),
    "an acknowledged message is not stored": (
        lambda r, s: (s["lobby"].messages.pop(), setattr(s["lobby"], "head", 5)), "lobby: n6 was acknowledged as 6 and is lost",
    ),
    "an acknowledged message is stored elsewhere": (
        lambda r, s: s["lobby"].messages[5].update(id="x"), "lobby: n6 was acknowledged as 6 and is lost",
    ),
    "a resend got another seq": (
        lambda r, s: r.acknowledged("n6", "lobby", "m6", 7), "n6 was acknowledged as [('lobby', 'm6', 6), ('lobby', 'm6', 7)]",
    ),
    "a nonce is stored twice": (
        lambda r, s: s["lobby"].messages[5].update(nonce="n5"), "lobby: n5 is stored 2 times",
    ),
    "another text is stored": (
        lambda r, s: s["lobby"].messages[5].update(text="x"), "lobby: n6 is stored with another text",
    ),
    "the store has a hole": (
        lambda r, s: s["lobby"].messages.pop(2), "lobby: the store is not contiguous up to 6: 2→4",
    ),
    "a client shows another text than the store": (
        lambda r, s: r.tapes[0].steps[3].messages.__setitem__(0, message(3, text="old")), "live in lobby: its view is not the store's",
    ),
    "a client shows what is not stored": (
        lambda r, s: r.tapes[0].change("message", message(7), 7), "live in lobby: stands at 7, the store at 6",
    ),
    "a live frame comes before any history": (
        lambda r, s: r.tapes[0].steps.pop(0), "live in lobby: message came before any history",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_the_checker_fails_when(what: str) -> None:
    record, store = copy.deepcopy(evidence())
    breaking, sentence = BROKEN[what]
    breaking(record, store)
    found = problems(record, store)
    assert any(sentence in each for each in found), found
