"""Who may do what: the one place where roles mean something.

Asked on joining, on every action and before every change of an audience; looks nothing up, remembers nothing.
"""

from __future__ import annotations

from typing import Literal, assert_never

from chat_app.models import ROLES, Account, Role, Standing

Action = Literal[
    "read", "post", "edit", "delete", "react", "here",
    "create_room", "moderate", "pin", "manage", "add_members", "leave",
    "manage_accounts", "create_join_link", "manage_rooms", "see_security",
]  # fmt: skip
RANK: dict[Role, int] = {role: rank for rank, role in enumerate(reversed(ROLES))}
_PUBLIC = Standing()


def allows(
    actor: Account,
    action: Action,
    room: Standing = _PUBLIC,
    *,
    target: Account | None = None,
    role: Role | None = None,
) -> bool:
    """Whether `actor` may do `action`, standing to the room as `room` says; to `target` or granting `role`
    where these matter.

    A role can be granted only up to one's own, and nobody changes somebody of a higher role. What is private
    is its members' alone, whatever role somebody has.
    """
    if actor.disabled:
        return False
    rank = RANK[actor.role]
    if target is not None and RANK[target.role] > rank:
        return False
    if role is not None and RANK[role] > rank:
        return False
    match action:
        case "create_room":
            return True
        case "manage_accounts" | "create_join_link" | "manage_rooms":
            return rank >= RANK["admin"]
        case "see_security":
            return rank >= RANK["owner"]
        case _:
            sees = room.kind == "public" or room.member
            return sees and _allows_in(action, rank, room)


def _allows_in(
    action: Literal[
        "read", "post", "edit", "delete", "react", "here", "moderate", "pin", "manage", "add_members", "leave"
    ],
    rank: int,
    room: Standing,
) -> bool:
    """What somebody may do in a room that he sees."""
    moderates = room.kind != "direct" and (rank >= RANK["moderator"] or room.manager)
    match action:
        case "read" | "delete":  # one's own
            return True
        case "post":
            return not room.archived and (room.posting == "everyone" or moderates)
        case "edit" | "react":
            return not room.archived
        case "moderate":  # what others wrote
            return moderates
        case "here" | "pin":
            return not room.archived and (moderates or room.kind == "direct")
        case "manage":  # title, topic, archive, who may write
            return room.kind != "direct" and (rank >= RANK["admin"] or room.manager)
        case "add_members":  # and remove them
            return room.kind == "private" and (rank >= RANK["admin"] or room.manager)
        case "leave":
            return room.kind == "private"
        case _:
            assert_never(action)


def grantable(actor: Account, target: Account | None = None) -> list[Role]:
    """The roles `actor` may give (to `target`), highest first; none when he may not change it."""
    return [role for role in ROLES if allows(actor, "manage_accounts", target=target, role=role)]
