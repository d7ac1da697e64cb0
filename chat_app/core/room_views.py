"""What a room is, as a frame for one account: title, topic, members, and what the account may do in it.

`room.py` sends it to who joins a room that is anything but plain, `management.py` whenever one changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from chat_app.core.permissions import Action, allows
from chat_app.models import Account
from chat_app.protocol import MemberView, RoomFrame, event_frame

if TYPE_CHECKING:
    from chat_app.core.rooms import Room

SHOWN_ACTIONS: tuple[Action, ...] = (
    "post", "edit", "react", "here", "moderate", "pin", "manage", "add_members", "leave",
)  # fmt: skip
"""What a client offers or hides."""


def is_plain(room: Room) -> bool:
    """Whether it is as every room is at first: then nobody has to be told."""
    info = room.info
    return info.kind == "public" and not info.archived and info.posting == "everyone" and not info.topic


def may(room: Room, account: Account) -> list[str]:
    """The actions that the account may do in the room."""
    standing = room.standing(account.id)
    return [action for action in SHOWN_ACTIONS if allows(account, action, standing)]


def room_frame(room: Room, account: Account) -> bytes:
    """The `room` frame for one account."""
    info = room.info
    members = sorted(room.members.values(), key=lambda member: member.name.casefold())
    return event_frame(
        RoomFrame(
            room=info.slug,
            title=room.title_for(account.id),
            kind=info.kind,
            topic=info.topic,
            archived=info.archived,
            posting=info.posting,
            may=may(room, account),
            notify=room.notify_of(account.id),
            members=UNSET
            if info.kind == "public"
            else [MemberView(member.account_id, member.name, member.manager) for member in members],
        )
    )
