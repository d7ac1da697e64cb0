"""Role by action."""

import pytest

from chat_app.core.permissions import Action, allows, grantable
from chat_app.models import ROLES, Account, Role


def account(role: Role, *, disabled: bool = False) -> Account:
    return Account(role, role, role, role, disabled, 0)


@pytest.mark.parametrize(
    ("action", "roles"),
    [
        ("read", ROLES),
        ("post", ROLES),
        ("create_room", ROLES),
        ("moderate", ("owner", "admin", "moderator")),
        ("manage_accounts", ("owner", "admin")),
        ("create_join_link", ("owner", "admin")),
        ("manage_rooms", ("owner", "admin")),
        ("see_security", ("owner",)),
    ],
)
def test_each_action_belongs_to_some_roles(action: Action, roles: tuple[Role, ...]) -> None:
    assert tuple(role for role in ROLES if allows(account(role), action)) == roles
    assert not any(allows(account(role, disabled=True), action) for role in ROLES)


@pytest.mark.parametrize(
    ("actor", "granted"), [("owner", ROLES), ("admin", ROLES[1:]), ("moderator", ()), ("member", ())]
)
def test_a_role_is_granted_only_up_to_ones_own(actor: Role, granted: tuple[Role, ...]) -> None:
    assert tuple(grantable(account(actor))) == granted
    assert tuple(r for r in ROLES if allows(account(actor), "create_join_link", role=r)) == granted


def test_nobody_changes_somebody_of_a_higher_role() -> None:
    assert grantable(account("admin"), account("owner")) == []
    assert grantable(account("admin"), account("admin")) == ["admin", "moderator", "member"]
