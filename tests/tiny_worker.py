"""A worker that does next to nothing, for tests of the supervisor: whoever connects is told the process.

`TINY_FOLDER` holds its `journal`, a line for each thing it does, and may hold `code`, with which it then ends
instead of starting, and `slow`, which keeps it from ending.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from chat_app.listening import Listener
from chat_app.worker import Dismissed, Worker

FOLDER = Path(os.environ["TINY_FOLDER"])


def note(event: str) -> None:
    with (FOLDER / "journal").open("a") as file:
        file.write(f"{event} {os.getpid()}\n")


async def dispatch(command: str, arguments: Mapping[str, object]) -> object:
    match command:
        case "setup":
            note("setup")
            return ["a link"]
        case "metrics":
            return f'# TYPE tiny gauge\ntiny{{a="b c"}} {os.getpid()}\n'
        case "die":
            await asyncio.sleep(0)  # what was said before goes out
            os.kill(os.getpid(), signal.SIGKILL)
    return [command, arguments, os.getpid()]


def answer(listener: Listener) -> None:
    with suppress(BlockingIOError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(f"{os.getpid()}\n".encode())


async def serve(worker: Worker) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with suppress(Dismissed):
        async with worker.attached(stop):
            note("opened")
            await worker.opened(dispatch, lambda: note("unready"))
            worker.listener.listen(100)
            loop = asyncio.get_running_loop()
            loop.add_reader(worker.listener, answer, worker.listener)
            note("serves")
            worker.serves()
            await stop.wait()
            if worker.leaving:
                loop.remove_reader(worker.listener)
            while (FOLDER / "slow").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            loop.remove_reader(worker.listener)
            worker.listener.close()
            note("left" if worker.leaving else "drained")


if __name__ == "__main__":
    if (FOLDER / "code").exists():
        note("failed")
        sys.exit(int((FOLDER / "code").read_text()))
    found = Worker.inherited(os.environ)
    assert found is not None
    asyncio.run(serve(found))
