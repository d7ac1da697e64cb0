"""What a room has of its log in memory: its newest changes, ready to be sent, and its newest messages.

The lowest layer of `room.Room`. It keeps what it is given and asks nobody: `serving.py` fills it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from chat_app.core import room_limits as limits
from chat_app.core.connection import Mode
from chat_app.core.message_names import renamed
from chat_app.models import Account, ChangeKind, Message, RoomInfo
from chat_app.protocol import HistoryFrame, change_frame, change_frames, event_frame, message_view


class Entry:
    """A change in the ring: `frame` tells it live; None for one that was only read from the store."""

    __slots__ = ("frame", "kind", "message", "seq")

    def __init__(self, seq: int, kind: ChangeKind, message: Message, frame: bytes | None) -> None:
        self.seq = seq
        self.kind: ChangeKind = kind
        self.message = message
        self.frame = frame

    @property
    def size(self) -> int:
        """Bytes it counts for in the ring."""
        return weight(self.message) if self.frame is None else len(self.frame)


class Ring:
    """The newest changes of a room and the messages that a new reader gets."""

    def __init__(self, info: RoomInfo, *, history_limit: int) -> None:
        self.info = info
        self.seq = info.seq
        """The head: the last change that was committed and published here."""
        self.floor = info.seq
        """Every change after it is in the ring."""
        self.frames_floor = info.seq
        """Every change after it is in the ring with its frame."""
        self.loaded = info.seq == 0
        self._history_limit = history_limit
        self._ring: deque[Entry] = deque()
        self._ring_bytes = 0
        self._recent: dict[str, Message] = {}
        self._by_nonce: dict[tuple[str, str], Message] = {}
        self._pages: dict[tuple[Mode, int], tuple[bytes, int, bool]] = {}

    def duplicate_of(self, account_id: str, nonce: str) -> Message | None:
        """A message of the ring with this nonce; the store knows the others."""
        return self._by_nonce.get((account_id, nonce))

    def rename(self, account: Account) -> None:
        """An author has another name: whoever joins or resumes from now on gets it, as from the store. It is
        no change of the log: what was sent stays as it is.
        """
        self._pages.clear()
        for entry in self._ring:
            message = renamed(entry.message, account)
            if message is not entry.message:
                self._replace(entry, message)
        self._recent = {key: renamed(message, account) for key, message in self._recent.items()}

    def _index(self, message: Message) -> None:
        if message.nonce is not None:
            self._by_nonce[message.account_id, message.nonce] = message

    def _trim(self) -> None:
        """Keeps the ring within its bounds; the oldest changes are then read from the store."""
        while len(self._ring) > limits.RING_ENTRIES or self._ring_bytes > limits.RING_LIMIT_BYTES:
            entry = self._ring.popleft()
            self._ring_bytes -= entry.size
            key = entry.message.account_id, entry.message.nonce or ""
            if self._by_nonce.get(key) is entry.message:
                del self._by_nonce[key]
            self.floor = max(self.floor, entry.seq)
            self.frames_floor = max(self.frames_floor, entry.seq)

    def _rewrite(self, message: Message, *, told: bool) -> None:
        """A message changed: the ring holds its state now. With `told` its text did, so its earlier frames
        tell that too: a deleted text is nowhere replayed. A reaction's or a pin's own frame is enough: with
        a thousand of them on one message every further one would make a thousand frames anew.
        """
        entries = [entry for entry in self._ring if entry.message.id == message.id]
        framed = [entry for entry in entries if told and entry.frame is not None]
        frames = change_frames([(entry.kind, entry.seq) for entry in framed], message, self.info.slug)
        for entry in entries:
            self._ring_bytes -= entry.size
            entry.message = message
        for entry, frame in zip(framed, frames, strict=True):
            entry.frame = frame
        for entry in entries:
            self._ring_bytes += entry.size
        if entries:
            self._index(message)

    def _replace(self, entry: Entry, message: Message) -> None:
        self._ring_bytes -= entry.size
        entry.message = message
        self._index(message)
        if entry.frame is not None:
            entry.frame = change_frame(entry.kind, entry.seq, message, self.info.slug)
        self._ring_bytes += entry.size

    def _remember(self, message: Message, *, new: bool) -> None:
        if not new and message.id not in self._recent:
            return
        self._recent[message.id] = message
        while len(self._recent) > self._history_limit:
            del self._recent[next(iter(self._recent))]

    def _unload(self) -> None:
        """Nobody is here: the store is enough. A room without any change needs no loading."""
        self._ring.clear()
        self._recent.clear()
        self._pages.clear()
        self._by_nonce.clear()
        self._ring_bytes = 0
        self.loaded = False
        self.floor = self.frames_floor = self.seq

    def _after(self, position: int) -> Iterator[Entry]:
        ring = self._ring
        index = len(ring)
        while index and ring[index - 1].seq > position:
            index -= 1
        return (ring[i] for i in range(index, len(ring)))

    def _resumed(self, since: int) -> tuple[bytes, int, bool]:
        # What changed again after an entry is told by the later entry.
        current = (e.message for e in self._after(since) if e.message.rev == e.seq)
        messages, more = page_of(current)
        position = messages[-1].rev if more else self.seq
        return self._history_frame("resumed", messages, position, more), position, more

    def _history_frame(self, mode: Mode, messages: list[Message], seq: int, more: bool) -> bytes:
        ordered = sorted(messages, key=lambda message: message.seq)
        views = [message_view(message, self.info.slug) for message in ordered]
        return event_frame(HistoryFrame(self.info.slug, self.info.epoch, mode, views, seq, more))


def page_of(messages: Iterable[Message]) -> tuple[list[Message], bool]:
    """As many as a history frame takes, so that it stays near `WRITE_LIMIT_BYTES`; whether some are left."""
    page: list[Message] = []
    size = 0
    for message in messages:
        if len(page) >= limits.PAGE_MESSAGES or size > limits.WRITE_LIMIT_BYTES // 2:
            return page, True
        page.append(message)
        size += weight(message)
    return page, False


def weight(message: Message) -> int:
    """About how many bytes it is in a frame."""
    text, html = message.text, message.html or ""
    reactions = 80 * sum(len(reaction.users) for reaction in message.reactions)
    texts = len(text) * (1 if text.isascii() else 3) + len(html) * (1 if html.isascii() else 3)
    return texts + reactions + 300
