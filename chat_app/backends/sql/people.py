"""Statements over the table `accounts`; `accounts` runs them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from chat_app.backends.sql.advisory import OWNERS, hold
from chat_app.backends.sql.schema import accounts
from chat_app.errors import ChatError, NotFound
from chat_app.models import Account, Role

ACCOUNT_COLUMNS = (
    accounts.c.id,
    accounts.c.name,
    accounts.c.name_key,
    accounts.c.role,
    accounts.c.disabled,
    accounts.c.created_ms,
    accounts.c.language,
)  # in the order of Account's fields
TOGETHER = 500
"""Ids in one statement: databases bound the number of parameters."""


def by_name(connection: Connection, name_key: str) -> tuple[Account, str] | None:
    """The account and its password hash."""
    return _one(connection, accounts.c.name_key == name_key)


def by_id(connection: Connection, account_id: str) -> tuple[Account, str] | None:
    """The account and its password hash."""
    return _one(connection, accounts.c.id == account_id)


def everybody(connection: Connection) -> list[Account]:
    """Every account by name."""
    return [
        Account(*row) for row in connection.execute(select(*ACCOUNT_COLUMNS).order_by(accounts.c.name_key))
    ]


def some(connection: Connection, account_ids: list[str]) -> list[Account]:
    """Those of them that there are."""
    found: list[Account] = []
    for start in range(0, len(account_ids), TOGETHER):
        chosen = accounts.c.id.in_(account_ids[start : start + TOGETHER])
        found += [Account(*row) for row in connection.execute(select(*ACCOUNT_COLUMNS).where(chosen))]
    return found


def has_owner(connection: Connection) -> bool:
    """Whether there is an owner, enabled or not."""
    owners = select(accounts.c.id).where(accounts.c.role == "owner").limit(1)
    return connection.execute(owners).first() is not None


def create(
    connection: Connection, account: Account, password_hash: str, *, role: Role | None = None
) -> Account:
    """Store it, with `role` instead of its own where given. Raises `ChatError("taken")`."""
    taken = select(accounts.c.id).where(accounts.c.name_key == account.name_key)
    if connection.execute(taken).first() is not None:
        raise _taken()
    stored = Account(
        id=account.id,
        name=account.name,
        name_key=account.name_key,
        role=account.role if role is None else role,
        disabled=account.disabled,
        created_ms=account.created_ms,
        language=account.language,
    )
    values: dict[str, Any] = {field: getattr(stored, field) for field in stored.__struct_fields__}
    try:
        connection.execute(insert(accounts).values(**values, password_hash=password_hash))
    except IntegrityError as error:  # another writer was faster
        raise _taken() from error
    return stored


def rename(connection: Connection, account_id: str, name: str, name_key: str) -> None:
    """Another name. Raises `ChatError("taken")` when somebody else has it, `NotFound`."""
    others = select(accounts.c.id).where(accounts.c.name_key == name_key, accounts.c.id != account_id)
    if connection.execute(others).first() is not None:
        raise _taken()
    try:
        _update(connection, account_id, name=name, name_key=name_key)
    except IntegrityError as error:  # another writer was faster
        raise _taken() from error


def set_password(connection: Connection, account_id: str, password_hash: str) -> None:
    """Replace the hash. Raises `NotFound`."""
    changed = update(accounts).where(accounts.c.id == account_id).values(password_hash=password_hash)
    if connection.execute(changed).rowcount == 0:
        raise _unknown()


def set_role(connection: Connection, account_id: str, role: Role) -> bool:
    """False when there would be no enabled owner left. Raises `NotFound`."""
    if role != "owner" and _is_last_owner(connection, account_id):
        return False
    _update(connection, account_id, role=role)
    return True


def set_disabled(connection: Connection, account_id: str, disabled: bool) -> bool:
    """False when there would be no enabled owner left. Raises `NotFound`."""
    if disabled and _is_last_owner(connection, account_id):
        return False
    _update(connection, account_id, disabled=disabled)
    return True


def set_language(connection: Connection, account_id: str, language: str | None) -> None:
    """The language of the pages. Raises `NotFound`."""
    _update(connection, account_id, language=language)


def _one(connection: Connection, chosen: ColumnElement[bool]) -> tuple[Account, str] | None:
    row: Row[*tuple[Any, ...]] | None = connection.execute(
        select(*ACCOUNT_COLUMNS, accounts.c.password_hash).where(chosen)
    ).one_or_none()
    return None if row is None else (Account(*row[:-1]), row[-1])


def _is_last_owner(connection: Connection, account_id: str) -> bool:
    hold(connection, OWNERS)  # or two nodes would each leave the other one's
    enabled = (accounts.c.role == "owner") & accounts.c.disabled.is_(False)
    if connection.execute(select(accounts.c.id).where(enabled, accounts.c.id == account_id)).first() is None:
        return False
    others = select(func.count()).select_from(accounts).where(enabled, accounts.c.id != account_id)
    return connection.execute(others).scalar_one() == 0


def _update(connection: Connection, account_id: str, **values: object) -> None:
    if connection.execute(update(accounts).where(accounts.c.id == account_id).values(**values)).rowcount == 0:
        raise _unknown()


def _taken() -> ChatError:
    return ChatError("taken", "This name is taken.")


def _unknown() -> NotFound:
    return NotFound("There is no such account.")
