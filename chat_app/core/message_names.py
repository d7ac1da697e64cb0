"""A new name of somebody in a message that memory holds: `ring.py` asks, so that it is as from the store."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from chat_app.models import Account, Message, Reaction


def renamed(message: Message, account: Account) -> Message:
    """The message with the account's name as it is now; the very same one where nothing changes."""
    if message.account_id == account.id and message.author != account.name:
        message = structs.replace(message, author=account.name)
    reply = message.reply_to
    if reply is not None and reply.account_id == account.id and reply.author != account.name:
        message = structs.replace(message, reply_to=structs.replace(reply, author=account.name))
    if any(_stale(reaction, account) for reaction in message.reactions):
        reactions = tuple(_with_name(reaction, account) for reaction in message.reactions)
        message = structs.replace(message, reactions=reactions)
    return message


def names_in(message: Message) -> Iterator[tuple[str, str]]:
    """Everybody it names, by id and name."""
    yield message.account_id, message.author
    if message.reply_to is not None:
        yield message.reply_to.account_id, message.reply_to.author
    for reaction in message.reactions:
        yield from reaction.users


def _stale(reaction: Reaction, account: Account) -> bool:
    return any(user_id == account.id and name != account.name for user_id, name in reaction.users)


def _with_name(reaction: Reaction, account: Account) -> Reaction:
    users = tuple(
        (user_id, account.name if user_id == account.id else name) for user_id, name in reaction.users
    )
    return structs.replace(reaction, users=users)
