"""A message as clients see it, in its state now: what `frames` and the answers over HTTP are made of.

Had through `protocol`; docs/protocol.md is the same in words.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from msgspec import UNSET, UnsetType

from chat_app.models import Message, NoticeKind, Reaction, rfc3339


class NoticeView(msgspec.Struct, frozen=True):
    """What a line tells of the room that nobody wrote; `value`: the name, title or topic it is about."""

    kind: NoticeKind
    value: str


class PersonView(msgspec.Struct, frozen=True):
    """Somebody, where the name alone is not enough."""

    id: str
    name: str


class ReactionView(msgspec.Struct, frozen=True):
    """One emoji on a message: how many put it there, and the first 20 of them."""

    emoji: str
    count: int
    users: list[PersonView]
    own: bool | UnsetType = UNSET
    """Whether the reader is among more than are named; only in what is for one reader (docs/adr/0016)."""


class ReplyView(msgspec.Struct, frozen=True, rename={"from_": "from", "user_id": "userId"}):
    """What a message answers."""

    id: str
    seq: int
    from_: str
    user_id: str


class MessageView(
    msgspec.Struct,
    frozen=True,
    rename={
        "from_": "from",
        "user_id": "userId",
        "sent_at": "sentAt",
        "edited_at": "editedAt",
        "deleted_at": "deletedAt",
        "reply_to": "replyTo",
        "pinned_at": "pinnedAt",
    },
):
    """A message as clients see it, in its state now."""

    id: str
    room: str
    seq: int
    from_: str
    user_id: str
    sent_at: str
    text: str | UnsetType = UNSET
    html: str | UnsetType = UNSET
    nonce: str | UnsetType = UNSET
    edited_at: str | UnsetType = UNSET
    deleted_at: str | UnsetType = UNSET
    notice: NoticeView | UnsetType = UNSET
    reply_to: ReplyView | UnsetType = UNSET
    mentions: tuple[str, ...] | UnsetType = UNSET
    here: bool | UnsetType = UNSET
    pinned_at: str | UnsetType = UNSET
    reactions: list[ReactionView] | UnsetType = UNSET


def message_view(message: Message, slug: str) -> MessageView:
    """What clients see of a message; a deleted one has no text, and `html` only differs from plain text."""
    deleted = message.deleted_ms is not None
    notice, reply = message.notice, message.reply_to
    return MessageView(  # in the order of its fields: by name it costs half as much again
        message.id,
        slug,
        message.seq,
        message.author,
        message.account_id,
        rfc3339(message.sent_ms),
        UNSET if deleted else message.text if notice is None else notice_text(message),
        UNSET if deleted or message.html is None else message.html,
        UNSET if message.nonce is None else message.nonce,
        UNSET if message.edited_ms is None else rfc3339(message.edited_ms),
        UNSET if message.deleted_ms is None else rfc3339(message.deleted_ms),
        UNSET if notice is None else NoticeView(notice, message.text),
        UNSET if reply is None else ReplyView(reply.id, reply.seq, reply.author, reply.account_id),
        message.mentions or UNSET,
        True if message.here else UNSET,
        UNSET if message.pinned_ms is None else rfc3339(message.pinned_ms),
        [_reaction_view(one) for one in message.reactions] if message.reactions else UNSET,
    )


def own_view(message: Message, slug: str, own: Collection[tuple[str, str]]) -> MessageView:
    """The same for one reader, whose reactions `own` are (ids of messages and emoji)."""
    view = message_view(message, slug)
    if isinstance(view.reactions, UnsetType) or all(one.complete for one in message.reactions):
        return view
    reactions = [
        one
        if len(one.users) >= one.count
        else msgspec.structs.replace(one, own=(message.id, one.emoji) in own)
        for one in view.reactions
    ]
    return msgspec.structs.replace(view, reactions=reactions)


def _reaction_view(reaction: Reaction) -> ReactionView:
    return ReactionView(reaction.emoji, reaction.count, [PersonView(*user) for user in reaction.users])


_NOTICES: dict[NoticeKind, str] = {
    "added": "{author} added {value}.",
    "removed": "{author} removed {value}.",
    "left": "{author} left.",
    "manager": "{author} made {value} a manager.",
    "title": "{author} renamed the room to {value}.",
    "topic": "{author} set the topic: {value}",
    "archived": "{author} archived the room.",
    "restored": "{author} restored the room.",
    "posting": "{author} changed who may write: {value}.",
}


def notice_text(message: Message) -> str:
    """A notice as an English sentence, for clients that know nothing of notices."""
    assert message.notice is not None
    if message.notice == "topic" and not message.text:
        return f"{message.author} removed the topic."
    return _NOTICES[message.notice].format(author=message.author, value=message.text)
