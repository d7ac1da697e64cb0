"""What the machine's owner does from the command line, with a server running or not.

Called by `web/control.py` and, through `administering.open_administration`, by the commands. Accounts are
told by name; nobody's role limits it, only the last owner stays.
"""

from __future__ import annotations

from pathlib import Path

from chat_app.core.identity import Identity
from chat_app.core.names import name_key
from chat_app.core.people import as_role
from chat_app.errors import NotFound
from chat_app.models import Account
from chat_app.ports import Accounts, Database


class Administration:
    """Accounts and backups, without a browser. Failures are `ChatError` with a sentence."""

    def __init__(self, identity: Identity, accounts: Accounts, database: Database) -> None:
        self._identity = identity
        self._accounts = accounts
        self._database = database

    async def add_user(self, name: str, role: str, password: str) -> Account:
        """A new account; an owner too, the first one or a further one."""
        return await self._identity.add(name, password, as_role(role))

    async def list_users(self) -> list[Account]:
        """Every account by name."""
        return await self._accounts.all()

    async def set_password(self, name: str, password: str) -> None:
        """A new password; every session of the account ends."""
        await self._identity.set_password(await self._id(name), password)

    async def set_role(self, name: str, role: str) -> None:
        """Another role."""
        await self._identity.people.set_role(None, await self._id(name), role)

    async def disable(self, name: str) -> None:
        """Nobody signs in with it any more; its sockets close."""
        await self._identity.people.disable(None, await self._id(name))

    async def enable(self, name: str) -> None:
        """It may sign in again."""
        await self._identity.people.enable(None, await self._id(name))

    async def sign_in_link(self, name: str) -> str:
        """The path of a link that signs in once within an hour."""
        _, token = await self._identity.people.sign_in_link(None, await self._id(name))
        return f"/link/{token}"

    async def backup(self, path: Path) -> None:
        """A consistent copy into a new file."""
        await self._database.backup(path)

    async def _id(self, name: str) -> str:
        found = await self._accounts.by_name(name_key(name))
        if found is None:
            raise NotFound(f"There is no account named {name!r}.")
        return found[0].id
