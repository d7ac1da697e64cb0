"""The supervisor with real processes that do next to nothing (tests/tiny_worker.py); with the chat itself:
test_processes.py.
"""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from chat_app import supervisor
from chat_app.children import NotTaken, own_command
from chat_app.data_folder import DataLock, ensure_data
from chat_app.settings import SettingsError, load
from chat_app.supervisor import Supervisor
from chat_app.web.control_client import CommandRefused, ask
from chat_app.worker import VARIABLE, Worker

WAIT_SECONDS = 60.0


class Several:
    """Three tiny workers and what they noted."""

    def __init__(self, folder: Path, **flags: str) -> None:
        self.folder = folder
        settings = ensure_data(load({"port": "0", "data": str(folder), "processes": "3", **flags}, {}))
        self.printed: list[str] = []
        self.ready = asyncio.Event()
        self.supervisor = Supervisor(
            settings,
            flags=flags,
            environment={**os.environ, "TINY_FOLDER": str(folder)},
            announce=self._announce,
            command=(sys.executable, "-m", "tests.tiny_worker"),
        )
        self.run = asyncio.create_task(self.supervisor.run())

    def _announce(self, line: str) -> None:
        self.printed.append(line)
        if line.startswith("Roomlog serves on "):
            self.ready.set()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.printed[-1].rpartition(":")[2])

    def noted(self, event: str = "") -> list[int]:
        """The processes that noted it, in order."""
        journal = self.folder / "journal"
        lines = [line.split() for line in journal.read_text().splitlines()] if journal.exists() else []
        return [int(pid) for name, pid in lines if name == event]

    def order(self, *events: str) -> list[str]:
        return [
            name
            for name, _ in (line.split() for line in (self.folder / "journal").read_text().splitlines())
            if name in events
        ]

    async def asked(self) -> int:
        """The process that answers a new connection."""
        reader, writer = await asyncio.open_connection(*self.address)
        pid = int(await reader.readline())
        writer.close()
        await writer.wait_closed()
        return pid

    async def command(self, name: str) -> Any:
        return await asyncio.to_thread(ask, self.folder / "control.sock", name, {})

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                assert not self.run.done(), self.run
                await asyncio.sleep(0.01)


@asynccontextmanager
async def several(folder: Path, **flags: str) -> AsyncIterator[Several]:
    found = Several(folder, **flags)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await found.ready.wait()
        yield found
    finally:
        if not found.run.done():
            found.supervisor.end()
            found.supervisor.end()
        await asyncio.gather(found.run, return_exceptions=True)


def played(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 300))


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE_SECONDS", 0.1)


def test_all_share_the_port_and_one_line_says_so_once_all_are_ready(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            assert all_.printed[:-1] == ["a link"]
            assert len(set(all_.noted("serves"))) == 3
            assert len(all_.noted("setup")) == 1
            assert all_.order("setup", "serves") == ["setup", "serves", "serves", "serves"]
            seen = {await all_.asked() for _ in range(100)}
            assert seen == set(all_.noted("serves"))
            with pytest.raises(SettingsError), DataLock(tmp_path):
                pass

    played(scenario())


@pytest.mark.parametrize("way", ["killed", "replaced"])
def test_who_waits_in_the_queue_of_a_process_is_served_by_the_next_one(tmp_path: Path, way: str) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            child = all_.supervisor._slots[0].child
            assert child is not None
            others = set(all_.noted("serves")) - {child.pid}
            os.kill(child.pid, signal.SIGSTOP)
            asking = [asyncio.create_task(all_.asked()) for _ in range(60)]
            await all_.until(lambda: sum(task.done() for task in asking) > 20)
            if way == "killed":
                os.kill(child.pid, signal.SIGKILL)
            else:
                all_.supervisor.replace()
            answers = await asyncio.gather(*asking)
            fresh = all_.noted("serves")[3]
            assert fresh in answers
            assert set(answers) <= others | {fresh}
            assert child.over.is_set() == (way == "killed")
            if way == "replaced":
                os.kill(child.pid, signal.SIGCONT)

    played(scenario())


def test_a_process_that_is_killed_comes_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            victim = all_.noted("serves")[1]
            os.kill(victim, signal.SIGKILL)
            await all_.until(lambda: len(all_.noted("serves")) == 4)
            assert {await all_.asked() for _ in range(100)} == set(all_.noted("serves")) - {victim}
            assert len(all_.noted("setup")) == 1, "a link that was printed stays good"

    played(scenario())


def test_a_process_that_somebody_ends_is_replaced_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            victim = all_.noted("serves")[2]
            os.kill(victim, signal.SIGTERM)
            await all_.until(lambda: len(all_.noted("serves")) == 4)
            assert all_.noted("drained") == [victim]

    played(scenario())


def test_who_cannot_be_started_again_is_tried_again_and_nobody_waits_in_its_place(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            (tmp_path / "code").write_text("2")
            victim = all_.noted("serves")[0]
            os.kill(victim, signal.SIGKILL)
            await all_.until(lambda: len(all_.noted("failed")) >= 3)
            rest = set(all_.noted("serves")) - {victim}
            async with asyncio.timeout(WAIT_SECONDS):
                assert {await all_.asked() for _ in range(60)} == rest
            (tmp_path / "code").unlink()
            await all_.until(lambda: len(all_.noted("serves")) == 4)
            assert {await all_.asked() for _ in range(100)} == set(all_.noted("serves")) - {victim}

    played(scenario())


def test_the_pause_doubles_to_its_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert list(islice(supervisor._pauses(), 8)) == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_settings_that_cannot_be_used_end_it_after_one_try(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "code").write_text("2")
        all_ = Several(tmp_path)
        assert await all_.run == 2
        assert len(all_.noted("failed")) == 1
        assert all_.printed == []
        assert not (tmp_path / "control.sock").exists()

    played(scenario())


def test_a_crash_at_the_start_is_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "code").write_text("1")
        all_ = Several(tmp_path)
        await all_.until(lambda: len(all_.noted("failed")) == 3)
        (tmp_path / "code").unlink()
        await all_.until(all_.ready.is_set)
        all_.supervisor.end()
        assert await all_.run == 0

    played(scenario())


def test_replacing_refuses_nobody_and_takes_one_after_the_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            before = set(all_.noted("serves"))
            over = asyncio.Event()

            async def ask_on() -> set[int]:
                seen = set()
                while not over.is_set():
                    seen.add(await all_.asked())
                return seen

            asking = [asyncio.create_task(ask_on()) for _ in range(8)]
            all_.supervisor.replace()
            await all_.until(lambda: len(all_.noted("left")) == 3)
            over.set()
            seen = set.union(*await asyncio.gather(*asking))  # raises what a client saw
            after = set(all_.noted("serves")) - before
            assert set(all_.noted("left")) == before
            assert len(after) == 3
            assert seen <= before | after
            assert {await all_.asked() for _ in range(100)} == after
            assert all_.order("serves", "left")[3:] == ["serves", "left"] * 3
            assert len(all_.noted("setup")) == 1

    played(scenario())


def test_a_new_version_that_does_not_start_leaves_the_old_one_serving(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            before = set(all_.noted("serves"))
            (tmp_path / "code").write_text("2")
            all_.supervisor.replace()
            await all_.until(lambda: len(all_.noted("failed")) == 1)
            assert {await all_.asked() for _ in range(100)} == before
            (tmp_path / "code").unlink()
            all_.supervisor.replace()
            await all_.until(lambda: len(all_.noted("left")) == 3)
            assert len(all_.noted("failed")) == 1

    played(scenario())


def test_it_ends_one_after_the_other_with_nobody_ready(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            all_.supervisor.end()
            assert await all_.run == 0
            assert len(all_.noted("drained")) == 3
            assert set(all_.noted("unready")) == set(all_.noted("serves"))
            with pytest.raises(ConnectionRefusedError):
                await all_.asked()

    played(scenario())


def test_a_second_signal_ends_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "END_SECONDS", 3_600.0)  # longer than the test has

    async def scenario() -> None:
        async with several(tmp_path) as all_:
            (tmp_path / "slow").touch()
            all_.supervisor.end(signal.SIGINT)
            await all_.until(lambda: len(all_.noted("unready")) == 3)
            assert not all_.run.done()
            all_.supervisor.end(signal.SIGINT)
            assert await all_.run == 130
            assert all_.noted("drained") == []

    played(scenario())


def test_who_does_not_end_is_killed_and_holds_up_the_others_for_a_while_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SHARED_SECONDS", 0.3)
    monkeypatch.setattr(supervisor, "END_SECONDS", 5.0)

    async def scenario() -> None:
        async with several(tmp_path) as all_:
            os.kill(all_.noted("serves")[0], signal.SIGSTOP)
            all_.supervisor.end()
            assert await all_.run == 2
            assert len(all_.noted("drained")) == 2

    played(scenario())


def test_commands_are_done_by_one_that_lives(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            name, arguments, first = await all_.command("anything")
            assert (name, arguments) == ("anything", {})
            os.kill(first, signal.SIGKILL)
            assert (await all_.command("anything"))[2] != first
            with pytest.raises(CommandRefused, match="ended before it answered; look whether it is done"):
                await all_.command("die")
            assert (await all_.command("anything"))[0] == "anything"

    played(scenario())


def test_a_command_that_the_process_never_read_is_done_by_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            first = (await all_.command("anything"))[2]
            os.kill(first, signal.SIGSTOP)
            asking = asyncio.create_task(all_.command("anything"))
            child = next(child for child in all_.supervisor._living() if child.pid == first)
            await all_.until(lambda: bool(child._answers))
            os.kill(first, signal.SIGKILL)
            assert (await asking)[2] != first
            with pytest.raises(NotTaken):
                await child.ask("anything", {})

    played(scenario())


def test_one_page_has_the_metrics_of_all(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path) as all_:
            page = await all_.command("metrics")
            assert page.count("# TYPE tiny gauge\n") == 1
            for number in "123":
                assert f'tiny{{process="{number}",a="b c"}} ' in page
            assert {int(line.rpartition(" ")[2]) for line in page.splitlines()[1:]} == set(
                all_.noted("serves")
            )

    played(scenario())


@pytest.mark.parametrize("reuse", [False, True])
def test_a_port_that_another_program_listens_on_is_refused(tmp_path: Path, reuse: bool) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0), reuse_port=reuse) as taken:
            all_ = Several(tmp_path, port=str(taken.getsockname()[1]))
            with pytest.raises(OSError) as caught:
                await all_.run
            assert caught.value.errno == errno.EADDRINUSE
            assert all_.noted("opened") == []

    played(scenario())


def test_its_port_is_refused_to_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with several(tmp_path / "one") as all_:
            other = Several(tmp_path / "other", port=str(all_.address[1]))
            with pytest.raises(OSError) as caught:
                await other.run
            assert caught.value.errno == errno.EADDRINUSE

    played(scenario())


def test_its_port_is_refused_to_another_supervisor_before_anybody_listens(tmp_path: Path) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        folder = tmp_path / "one"
        folder.mkdir(mode=0o700)
        (folder / "code").write_text("1")
        one = Several(folder, port=port)
        await one.until(lambda: bool(one.noted("failed")))
        other = Several(tmp_path / "other", port=port)
        with pytest.raises(OSError) as caught:
            await other.run
        assert caught.value.errno == errno.EADDRINUSE
        assert other.noted("opened") == one.noted("opened") == []
        (folder / "code").unlink()
        await one.ready.wait()
        assert {await one.asked() for _ in range(100)} == set(one.noted("serves"))
        one.supervisor.end()
        assert await one.run == 0
        async with several(tmp_path / "other", port=port) as next_:
            assert len(set(next_.noted("serves"))) == 3

    played(scenario())


def test_processes_are_started_as_the_supervisor_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "--processes", "3"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert own_command() == (sys.executable, str(Path.cwd() / "run.py"))
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", object())
    assert own_command() == (sys.executable, "-m", "chat_app")


@pytest.mark.parametrize("text", ["5", "a,b", "0,1", "98,99", "3,4,5"])
def test_nobody_else_can_be_a_worker(text: str) -> None:
    with pytest.raises(
        SettingsError, match=f"{VARIABLE} is for the processes that --processes starts itself"
    ):
        Worker.inherited({VARIABLE: text})


def test_a_line_that_somebody_else_made_is_refused() -> None:
    ours, theirs = socket.socketpair()  # made by this process, not by its parent
    with ours, theirs, pytest.raises(SettingsError):
        Worker.inherited({VARIABLE: f"{theirs.fileno()},{ours.fileno()}"})
    assert Worker.inherited({VARIABLE: ""}) is None
