"""Places at which the fault tests let the process die, as a power cut would: nothing is flushed or told.

`reach` is called where an outcome hangs between two steps. It is bound once, to a function that does nothing
unless the environment named a point when the process started; only `tests/faults` does that.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Literal, get_args

Point = Literal["before-commit", "after-commit", "before-ack", "after-fan-out"]
VARIABLE = "ROOMLOG_TEST_FAILPOINT"
"""`POINT:N`: die on the N-th time that POINT is reached. No setting: it is in no table and no help."""


def armed(value: str | None, *, die: Callable[[], None]) -> Callable[[Point], None]:
    """What `reach` is for a value of the variable. Raises ValueError for one that names no point."""
    if not value:
        return _pass
    point, _, count = value.partition(":")
    if point not in get_args(Point) or not count.isdigit():
        raise ValueError(f"{VARIABLE} names no failpoint: {value!r}")
    left = int(count)

    def reach(reached: Point) -> None:
        nonlocal left
        if reached == point:
            left -= 1
            if left == 0:
                die()

    return reach


def _pass(point: Point) -> None:
    """Outside the fault tests."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


reach = armed(os.environ.get(VARIABLE), die=_die)
