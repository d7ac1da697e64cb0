"""Failpoints are nothing unless the fault tests arm one."""

import dis
import os
import signal
import subprocess
import sys

import pytest

from chat_app import failpoints
from chat_app.failpoints import VARIABLE, armed

REACH = "from chat_app.failpoints import reach; [reach('before-ack') for _ in range(5)]; print('alive')"


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", REACH],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_the_variable_reach_is_one_function_that_does_nothing() -> None:
    assert armed(None, die=pytest.fail) is armed("", die=pytest.fail) is failpoints._pass
    assert failpoints.reach is failpoints._pass
    assert dis.Bytecode(failpoints._pass).codeobj.co_names == ()
    ended = run()
    assert (ended.returncode, ended.stdout) == (0, "alive\n")


def test_an_armed_point_kills_on_its_nth_time_only() -> None:
    deaths: list[int] = []
    reach = armed("before-ack:3", die=lambda: deaths.append(1))
    for expected in ([], [], [1], [1]):
        reach("after-commit")
        reach("before-ack")
        assert deaths == expected


def test_a_process_dies_at_once_as_by_kill_9() -> None:
    assert run(**{VARIABLE: "before-ack:5"}).returncode == -signal.SIGKILL
    assert run(**{VARIABLE: "before-ack:6"}).stdout == "alive\n"


@pytest.mark.parametrize("value", ["nowhere:1", "before-ack", "before-ack:x"])
def test_a_wrong_name_is_said_instead_of_testing_nothing(value: str) -> None:
    with pytest.raises(ValueError, match="names no failpoint"):
        armed(value, die=pytest.fail)


def test_it_is_no_setting() -> None:
    from chat_app.settings import SETTINGS

    assert VARIABLE not in {setting.variable for setting in SETTINGS}
