"""Who may do what: the one place where roles mean something.

Asked on joining, on every action and before every change of an audience; looks nothing up, remembers nothing.
"""

from __future__ import annotations

from typing import Literal, assert_never

from chat_app.models import ROLES, Account, Role, RoomInfo

Action = Literal[
    "read",
    "post",
    "create_room",
    "moderate",
    "manage_accounts",
    "create_join_link",
    "manage_rooms",
    "see_security",
]
RANK: dict[Role, int] = {role: rank for rank, role in enumerate(reversed(ROLES))}


def allows(
    actor: Account,
    action: Action,
    room: RoomInfo | None = None,
    *,
    target: Account | None = None,
    role: Role | None = None,
) -> bool:
    """Whether `actor` may do `action`, in `room`, to `target`, granting `role`, where these matter.

    A role can be granted only up to one's own, and nobody changes somebody of a higher role. Every room is
    public to those who can sign in.
    """
    if actor.disabled:
        return False
    rank = RANK[actor.role]
    if target is not None and RANK[target.role] > rank:
        return False
    if role is not None and RANK[role] > rank:
        return False
    match action:
        case "read" | "post" | "create_room":
            return True
        case "moderate":
            return rank >= RANK["moderator"]
        case "manage_accounts" | "create_join_link" | "manage_rooms":
            return rank >= RANK["admin"]
        case "see_security":
            return rank >= RANK["owner"]
        case _:
            assert_never(action)


def grantable(actor: Account, target: Account | None = None) -> list[Role]:
    """The roles `actor` may give (to `target`), highest first; none when he may not change it."""
    return [role for role in ROLES if allows(actor, "manage_accounts", target=target, role=role)]
