"""A room: who sees it, its log in the order of the commits, and who follows it.

`Registry` holds one for each room. `Room.offer` takes what was committed here or on another node, in whatever
order it comes; `follower.py` calls `leap` and `reload` where changes were missed (docs/adr/0001, 0011). Runs
on the event loop only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from chat_app.core import room_limits as limits
from chat_app.core.connection import Connection, Cursor
from chat_app.core.message_names import names_in
from chat_app.core.presence import People
from chat_app.core.ring import Entry, page_of, weight
from chat_app.core.room_views import is_plain, room_frame
from chat_app.core.serving import Serving
from chat_app.core.tasks import Tasks
from chat_app.models import Committed, Member, Message, Notify, RoomInfo, Standing
from chat_app.ports import History
from chat_app.protocol import change_frame, reacted_frame

PUBLIC = Standing()
_log = logging.getLogger(__name__)

Apply = Callable[["Room", Committed], None]
"""Publishes a change whose turn it is, with all that it means."""


class Room(Serving):
    """One room: its head, its ring and who follows it."""

    def __init__(
        self,
        info: RoomInfo,
        *,
        history: History,
        history_limit: int,
        tasks: Tasks,
        members: Iterable[Member] = (),
        notifies: Mapping[str, Notify] | None = None,
        behind: Callable[[Room], bool] | None = None,
    ) -> None:
        super().__init__(info, history=history, history_limit=history_limit, tasks=tasks)
        self.members = {member.account_id: member for member in members}
        """Of a public room only its managers."""
        self.notifies = dict(notifies or {})
        """What accounts chose to be notified of; see `notify_of`."""
        self.people = People(self)
        self._behind = behind
        self._waiting: dict[int, tuple[Committed, Apply]] = {}
        self._waiting_bytes = 0
        self._ahead: list[tuple[Cursor, int]] = []

    # -- who sees it --------------------

    def standing(self, account_id: str) -> Standing:
        """How an account stands to this room."""
        info, member = self.info, self.members.get(account_id)
        if member is None and info.kind == "public" and not info.archived and info.posting == "everyone":
            return PUBLIC
        return Standing(
            info.kind, info.archived, info.posting, member is not None, member is not None and member.manager
        )

    def title_for(self, account_id: str) -> str:
        """Its title; of a direct room the names of the others."""
        if self.info.kind != "direct":
            return self.info.title
        others = [member.name for member in self.members.values() if member.account_id != account_id]
        return ", ".join(sorted(others, key=str.casefold)) or self.members[account_id].name

    def notify_of(self, account_id: str) -> Notify:
        """What an account wants to be notified of here: all of a conversation, of a room what names it."""
        return self.notifies.get(account_id) or ("all" if self.info.kind == "direct" else "mentions")

    def present(self) -> dict[str, str]:
        """The names of who is here by id; who lost the right to see it is gone at once."""
        here = self.people.by_id()
        if self.info.kind == "public":
            return here
        return {account_id: name for account_id, name in here.items() if account_id in self.members}

    def names(self) -> set[tuple[str, str]]:
        """Ids and names of everybody whom memory names here."""
        messages = (*(entry.message for entry in self._ring), *self._recent.values())
        members = {(member.account_id, member.name) for member in self.members.values()}
        return members.union(*map(names_in, messages))

    def _welcome(self, connection: Connection) -> None:
        self.people.welcome(connection)
        account = connection.account
        if not is_plain(self) or account.id in self.notifies:
            connection.tell(room_frame(self, account))

    def tell(self, frame: bytes, *, presence: bool) -> None:
        """Sends what is no log (presence, typing) to everybody who is quick; the others get the newest
        presence later.
        """
        for cursor in self.cursors:
            offer = cursor.connection.sink.offer
            if presence and offer not in self._live and offer not in self._lagging and cursor.told:
                cursor.connection.mark_stale(self) if cursor.connection.blocked else cursor.connection.tell(
                    frame
                )
        if self._live or self._lagging:
            self._enqueue(frame)

    # -- the log --------------------

    def publish(self, change: Committed) -> None:
        """Takes the next change of this room, in the order of the commits; what is not the next one is
        already known.
        """
        if change.seq != self.seq + 1:
            _log.error("out of order", extra={"fields": {"seq": change.seq, "head": self.seq}})
            return
        self.seq = change.seq
        self._pages.clear()
        if not self.cursors and not self._loading:
            self._unload()
            return
        if change.reacted is not None:
            frame = reacted_frame(change.reacted, change.seq, change.message, self.info.slug)
        else:
            frame = change_frame(change.kind, change.seq, change.message, self.info.slug)
        if change.kind != "message":
            self._rewrite(change.message, told=change.kind in ("edited", "deleted"))
        self._remember(change.message, new=change.kind == "message")
        self._ring.append(Entry(change.seq, change.kind, change.message, frame))
        self._ring_bytes += len(frame)
        self._index(change.message)
        self._trim()
        self._enqueue(frame)

    def offer(self, change: Committed, apply: Apply) -> None:
        """Takes a change in whatever order it comes: `apply` publishes it once it is the next one. What is
        known already is dropped, what came too early waits for what it follows.
        """
        if change.seq == self.seq + 1:
            apply(self, change)
            if self._waiting:
                self.go_on()
        elif change.seq > self.seq:
            self._keep(change, apply)

    def _keep(self, change: Committed, apply: Apply) -> None:
        if self._behind is None or not self._behind(self):
            _log.error("out of order", extra={"fields": {"seq": change.seq, "head": self.seq}})
            return
        size = weight(change.message)
        full = (
            len(self._waiting) >= limits.WAITING_CHANGES or self._waiting_bytes + size > limits.WAITING_BYTES
        )
        if change.seq not in self._waiting and not full:
            self._waiting[change.seq] = change, apply
            self._waiting_bytes += size

    def go_on(self) -> None:
        """The head moved: what waited for that is published, what it passed is dropped."""
        while self._waiting:
            for seq in [seq for seq in self._waiting if seq <= self.seq]:
                self._take_waiting(seq)
            if self.seq + 1 not in self._waiting:
                return
            change, apply = self._take_waiting(self.seq + 1)
            apply(self, change)

    def _take_waiting(self, seq: int) -> tuple[Committed, Apply]:
        change, apply = self._waiting.pop(seq)
        self._waiting_bytes -= weight(change.message)
        return change, apply

    @property
    def lacks(self) -> bool:
        """Whether something waits for what only the store has."""
        return bool(self._waiting or self._ahead)

    def forget_waiting(self) -> None:
        """The store does not know what they follow."""
        self._waiting.clear()
        self._waiting_bytes = 0

    def leap(self, messages: Sequence[Message], seq: int) -> None:
        """Goes on to `seq` where the changes are not known, only what they left: `messages`, all whose `rev`
        is beyond the head, in its order. Who is quick is told by `history` frames, as who fell behind
        (docs/adr/0011).
        """
        before, self.seq = self.seq, seq
        self._pages.clear()
        if not self.cursors and not self._loading:
            self._unload()
            return
        states = {message.id: message for message in messages}
        for entry in self._ring:  # no frame of it will be sent any more, least of all one with a deleted text
            entry.message, entry.frame = states.get(entry.message.id, entry.message), None
        for message in messages:
            self._ring.append(Entry(message.rev, "message", message, None))
            self._index(message)
        for message in sorted(messages, key=lambda message: message.seq):
            self._remember(message, new=message.seq > before)
        self._ring_bytes = sum(entry.size for entry in self._ring)
        self.frames_floor = seq
        self._trim()
        *frames, last = self._state_frames(messages, seq)
        self._pending += frames
        self._pending_bytes += sum(map(len, frames))
        self._enqueue(last)

    def _state_frames(self, messages: Sequence[Message], seq: int) -> Iterator[bytes]:
        more = True
        while more:
            page, more = page_of(messages)
            messages = messages[len(page) :]
            yield self._history_frame("resumed", page, page[-1].rev if more else seq, more)

    def reload(self, seq: int) -> None:
        """Goes on to `seq`, too far away for what memory holds to be of use: everything is read anew."""
        self.flush()
        for cursor in self.cursors:
            self.set_aside(cursor)
        self._drop_pending()
        self.seq = seq
        self._reloads += 1
        self._unload()
        for cursor in list(self.cursors):
            self.advance(cursor)

    # -- cursors --------------------

    def place(self, cursor: Cursor, *, since: int | None, epoch: str | None) -> None:
        """Registers a cursor, or puts it anew, and brings it to the head. Registering comes before reading:
        nothing falls between.
        """
        self.set_aside(cursor)
        if cursor.connection.closed:
            return  # by what that told it: more waited than may
        cursor.generation += 1
        cursor.following = cursor.loading = False
        self.cursors.add(cursor)
        beyond = since is not None and since > self.seq and epoch == self.info.epoch
        if beyond and self._behind is not None and self._behind(self):
            cursor.mode, cursor.position, cursor.loading = "resumed", since or 0, True
            self._ahead.append((cursor, cursor.generation))
            return
        self._aim(cursor, since, epoch)
        self.flush()
        self.advance(cursor)

    def _aim(self, cursor: Cursor, since: int | None, epoch: str | None) -> None:
        if since is None:
            cursor.mode, cursor.position = "latest", 0
        elif epoch != self.info.epoch or since > self.seq or self.seq - since > limits.RESUME_LIMIT:
            cursor.mode, cursor.position = "reset", 0
        else:
            cursor.mode, cursor.position = "resumed", since

    def take_ahead(self) -> list[tuple[Cursor, int]]:
        """Who says to have more than this node, as another node may have told it; to be answered."""
        ahead, self._ahead = self._ahead, []
        return ahead

    def answer(self, ahead: Iterable[tuple[Cursor, int]], *, known: bool) -> None:
        """The store was asked after they came; not `known`: in vain."""
        self.flush()
        for cursor, generation in ahead:
            if cursor.generation != generation:
                continue
            if not known:
                cursor.connection.close(1012, "the history could not be read")
                continue
            cursor.loading = False
            self._aim(cursor, cursor.position, self.info.epoch)
            self.advance(cursor)
