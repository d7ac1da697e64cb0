"""What stands beside a message: reactions, pins, and the call of everybody present.

`chat.py` asks what an event means, pages which reactions are their reader's; nothing is stored here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from chat_app.core.permissions import allows
from chat_app.core.rooms import Room
from chat_app.emojis import as_emoji
from chat_app.errors import Forbidden
from chat_app.models import Account, Message, Pin, React
from chat_app.ports import History
from chat_app.protocol import PinEvent, ReactEvent, UnpinEvent

_HERE = re.compile(r"(?<!\w)@here(?!\w)", re.IGNORECASE)


def mark(account: Account, room: Room, event: ReactEvent | PinEvent | UnpinEvent, now_ms: int) -> React | Pin:
    """The change that an event asks for. Raises `Forbidden`."""
    standing, info = room.standing(account.id), room.info
    if isinstance(event, ReactEvent):
        if not allows(account, "react", standing):
            raise Forbidden("This room is archived.")
        emoji = as_emoji(event.emoji)
        assert emoji is not None  # `check` saw to it
        return React(info.id, event.id, account.id, emoji, now_ms, remove=event.remove)
    if not allows(account, "pin", standing):
        if info.archived:
            raise Forbidden("This room is archived.")
        raise Forbidden("Only moderators pin messages in this room.")
    return Pin(info.id, event.id, now_ms, pinned=isinstance(event, PinEvent))


def present_for(account: Account, room: Room, text: str) -> tuple[str, ...] | None:
    """Whom an @here in the text calls: who is present and may see the room.

    None where it calls nobody: there is none, or the account may not.
    """
    if "@" not in text or not _HERE.search(text) or not allows(account, "here", room.standing(account.id)):
        return None
    return tuple(room.present())


async def own_reactions(
    history: History, messages: Iterable[Message], account_id: str
) -> set[tuple[str, str]]:
    """Which reactions are this account's, by id of the message and emoji, where not everybody is named."""
    unsure = [one.id for one in messages if not all(reaction.complete for reaction in one.reactions)]
    return await history.reacted(account_id, unsure) if unsure else set()
