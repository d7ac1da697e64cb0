"""Role by action."""

import pytest

from chat_app.core.permissions import Action, allows, grantable
from chat_app.models import ROLES, Account, Role, Standing

Roles = tuple[Role, ...]


def account(role: Role, *, disabled: bool = False) -> Account:
    return Account(role, role, role, role, disabled, 0)


ALL = ROLES
STAFF: tuple[Role, ...] = ("owner", "admin", "moderator")
ADMINS: tuple[Role, ...] = ("owner", "admin")
OWNER: tuple[Role, ...] = ("owner",)
NOBODY: tuple[Role, ...] = ()

PUBLIC = Standing()
MANAGED = Standing(member=True, manager=True)
MODERATED = Standing(posting="moderators")
ARCHIVED = Standing(archived=True)
CLOSED = Standing("private")
PRIVATE = Standing("private", member=True)
OWN = Standing("private", member=True, manager=True)
DIRECT = Standing("direct", member=True)
OTHERS = Standing("direct")


@pytest.mark.parametrize(
    ("action", "public", "managed", "moderated", "archived", "private", "own", "direct"),
    [
        ("read", ALL, ALL, ALL, ALL, ALL, ALL, ALL),
        ("post", ALL, ALL, STAFF, NOBODY, ALL, ALL, ALL),
        ("edit", ALL, ALL, ALL, NOBODY, ALL, ALL, ALL),
        ("delete", ALL, ALL, ALL, ALL, ALL, ALL, ALL),
        ("react", ALL, ALL, ALL, NOBODY, ALL, ALL, ALL),
        ("moderate", STAFF, ALL, STAFF, STAFF, STAFF, ALL, NOBODY),
        ("here", STAFF, ALL, STAFF, NOBODY, STAFF, ALL, ALL),
        ("pin", STAFF, ALL, STAFF, NOBODY, STAFF, ALL, ALL),
        ("manage", ADMINS, ALL, ADMINS, ADMINS, ADMINS, ALL, NOBODY),
        ("add_members", NOBODY, NOBODY, NOBODY, NOBODY, ADMINS, ALL, NOBODY),
        ("leave", NOBODY, NOBODY, NOBODY, NOBODY, ALL, ALL, NOBODY),
        ("create_room", ALL, ALL, ALL, ALL, ALL, ALL, ALL),
        ("manage_accounts", ADMINS, ADMINS, ADMINS, ADMINS, ADMINS, ADMINS, ADMINS),
        ("create_join_link", ADMINS, ADMINS, ADMINS, ADMINS, ADMINS, ADMINS, ADMINS),
        ("manage_rooms", ADMINS, ADMINS, ADMINS, ADMINS, ADMINS, ADMINS, ADMINS),
        ("see_security", OWNER, OWNER, OWNER, OWNER, OWNER, OWNER, OWNER),
    ],
)
def test_each_action_belongs_to_some_roles_in_each_kind_of_room(
    action: Action, public: Roles, managed: Roles, moderated: Roles, archived: Roles, private: Roles, own: Roles,
    direct: Roles,
) -> None:  # fmt: skip
    rooms = (PUBLIC, MANAGED, MODERATED, ARCHIVED, PRIVATE, OWN, DIRECT)
    expected = (public, managed, moderated, archived, private, own, direct)
    for room, roles in zip(rooms, expected, strict=True):
        assert tuple(role for role in ROLES if allows(account(role), action, room)) == roles, room
        assert not any(allows(account(role, disabled=True), action, room) for role in ROLES)


@pytest.mark.parametrize("room", [CLOSED, OTHERS])
@pytest.mark.parametrize("role", ROLES)
def test_what_is_private_is_its_members_alone_whatever_role_somebody_has(role: Role, room: Standing) -> None:
    actions: list[Action] = ["read", "post", "edit", "delete", "react", "here", "moderate", "pin", "manage"]
    assert not [
        action for action in [*actions, "add_members", "leave"] if allows(account(role), action, room)
    ]


@pytest.mark.parametrize(
    ("actor", "granted"), [("owner", ROLES), ("admin", ROLES[1:]), ("moderator", ()), ("member", ())]
)
def test_a_role_is_granted_only_up_to_ones_own(actor: Role, granted: tuple[Role, ...]) -> None:
    assert tuple(grantable(account(actor))) == granted
    assert tuple(r for r in ROLES if allows(account(actor), "create_join_link", role=r)) == granted


def test_nobody_changes_somebody_of_a_higher_role() -> None:
    assert grantable(account("admin"), account("owner")) == []
    assert grantable(account("admin"), account("admin")) == ["admin", "moderator", "member"]
