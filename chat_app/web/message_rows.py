"""Messages as `partials/message.html` shows them; the pages make their rows here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from markupsafe import Markup

from chat_app.core.marks import own_reactions
from chat_app.models import Account, Message, Reaction, rfc3339
from chat_app.ports import History
from chat_app.protocol import notice_text

EXCERPT_LIMIT = 120
"""Characters of a message that another one answers."""


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """What a message answers; `excerpt` is its text now, None where it was deleted."""

    id: str
    seq: int
    from_name: str
    user_id: str
    excerpt: str | None


@dataclass(frozen=True, slots=True)
class ReactionRow:
    """One emoji on a message; `users`: the first who put it there, `others`: how many more."""

    emoji: str
    count: int
    users: list[dict[str, str]]
    others: int
    own: bool


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as `partials/message.html` shows it."""

    id: str
    seq: int
    from_name: str
    user_id: str
    text: str
    html: Markup | None
    sent_at: str
    edited_at: str | None
    deleted_at: str | None
    own: bool
    notice: str | None
    notice_value: str
    nonce: str | None
    """Of one's own only: a script finds what it sent before a reload."""
    reply: ReplyRow | None
    reactions: list[ReactionRow]
    pinned_at: str | None
    mentions_me: bool
    here: bool
    marked: bool
    """Whether the page was asked for because of it."""


async def message_rows(
    history: History, room_id: str, messages: Iterable[Message], reader: Account, *, at: int | None = None
) -> list[MessageRow]:
    """The rows of a page; what its messages answer is read together."""
    shown = list(messages)
    answered = {message.reply_to.id for message in shown if message.reply_to is not None}
    known = await history.some(room_id, answered) if answered else []
    originals = {message.id: message for message in known}
    own = await own_reactions(history, shown, reader.id)
    return [message_row(message, reader, originals, own, at=at) for message in shown]


def message_row(
    message: Message,
    reader: Account,
    originals: dict[str, Message],
    own: Collection[tuple[str, str]],
    *,
    at: int | None = None,
) -> MessageRow:
    """One message; what was deleted has no text. `own`: see `core.marks.own_reactions`."""
    deleted = message.deleted_ms is not None
    return MessageRow(
        id=message.id,
        seq=message.seq,
        from_name=message.author,
        user_id=message.account_id,
        text=_text(message),
        html=None if deleted or message.html is None else Markup(message.html),  # nosec B704 # sanitised when posted
        sent_at=rfc3339(message.sent_ms),
        edited_at=None if message.edited_ms is None else rfc3339(message.edited_ms),
        deleted_at=rfc3339(message.deleted_ms) if message.deleted_ms is not None else None,
        own=message.account_id == reader.id,
        notice=message.notice,
        notice_value="" if message.notice is None else message.text,
        nonce=message.nonce if message.account_id == reader.id else None,
        reply=_reply_row(message, originals),
        reactions=[
            _reaction_row(reaction, reader, known=(message.id, reaction.emoji) in own)
            for reaction in message.reactions
        ],
        pinned_at=None if message.pinned_ms is None else rfc3339(message.pinned_ms),
        mentions_me=reader.id in message.mentions,
        here=message.here,
        marked=message.seq == at,
    )


def _text(message: Message) -> str:
    if message.deleted_ms is not None:
        return ""
    return message.text if message.notice is None else notice_text(message)


def _reply_row(message: Message, originals: dict[str, Message]) -> ReplyRow | None:
    reply = message.reply_to
    if reply is None:
        return None
    original = originals.get(reply.id)
    gone = original is None or original.deleted_ms is not None
    return ReplyRow(
        id=reply.id,
        seq=reply.seq,
        from_name=reply.author,
        user_id=reply.account_id,
        excerpt=None if original is None or gone else excerpt(_text(original)),
    )


def excerpt(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT_LIMIT else line[: EXCERPT_LIMIT - 1].rstrip() + "\u2026"


def _reaction_row(reaction: Reaction, reader: Account, *, known: bool) -> ReactionRow:
    return ReactionRow(
        emoji=reaction.emoji,
        count=reaction.count,
        users=[{"id": account_id, "name": name} for account_id, name in reaction.users],
        others=reaction.count - len(reaction.users),
        own=known or any(account_id == reader.id for account_id, _ in reaction.users),
    )
