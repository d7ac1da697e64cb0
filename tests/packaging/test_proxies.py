"""The web servers in deploy/, each for real in front of two nodes: what a person does works whichever node is asked.

Only addresses, ports, folders and certificates are others than in the files.
"""

import http.client
import json
import os
import shutil
import ssl
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.processes import ROOT, Server, command
from tests.services import PostgreSQL, Redis, missing_redis, need

PASSWORD = "correct horse battery"
CLIENT, CLAIMED = "127.0.0.5", "192.0.2.9"


@dataclass
class Place:
    """Where a proxy runs: its folder, its ports, its certificate, the nodes' addresses."""

    folder: Path
    plain: int
    secure: int
    told: dict[str, str]
    nodes: list[Server] = field(default_factory=list)
    started: int = 0

    def start_nodes(self) -> None:
        """As many as are missing of two, on one database and one Redis."""
        while len(self.nodes) < 2:
            self.started += 1
            data = self.folder / f"node{self.started}"
            node = Server(data, "--allowed-origins", self.origin, variables=self.told)
            self.nodes.append(node.__enter__())

    @property
    def addresses(self) -> list[str]:
        return [f"127.0.0.1:{node.port}" for node in self.nodes]

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.secure}"

    @property
    def certificate(self) -> Path:
        """Of whom the clients trust; for localhost, signed by itself."""
        return self.folder / "localhost.pem"

    def read(self, name: str, **changes: str) -> str:
        """A file of deploy/ with each of these replaced; none may be missing in it."""
        text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        return text

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return str(self.folder / name)


def nginx(place: Place) -> list[str]:
    site = place.read("nginx.conf", **{
        "10.0.0.11:8080": place.addresses[0], "10.0.0.12:8080": place.addresses[1],
        "listen 80;": f"listen 127.0.0.1:{place.plain};", "listen 443 ssl;": f"listen 127.0.0.1:{place.secure} ssl;",
        "server_name chat.example.org;": "server_name localhost;",
        "/etc/letsencrypt/live/chat.example.org/fullchain.pem": str(place.certificate),
        "/etc/letsencrypt/live/chat.example.org/privkey.pem": str(place.certificate),
    })  # fmt: skip
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = " ".join(f"{kind}_temp_path {place.folder}/{kind};" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    main = f"""daemon off; {user} pid {place.folder}/nginx.pid; error_log stderr warn; worker_processes 1; events {{}}
        http {{ access_log off; {folders} include {place.write("site.conf", site)}; }}"""
    return ["nginx", "-e", "stderr", "-p", str(place.folder), "-c", place.write("main.conf", main)]


def haproxy(place: Place) -> list[str]:
    text = place.read("haproxy.cfg", **{
        "10.0.0.11:8080": place.addresses[0], "10.0.0.12:8080": place.addresses[1],
        "bind :80\n": f"bind 127.0.0.1:{place.plain}\n", "bind :443 ": f"bind 127.0.0.1:{place.secure} ",
        "/etc/haproxy/chat.example.org.pem": str(place.certificate), "maxconn 50000": "maxconn 500",
    })  # fmt: skip
    return ["haproxy", "-db", "-f", place.write("haproxy.cfg", text)]


def caddy(place: Place) -> list[str]:
    authority = f"storage file_system {place.folder}/store\n\tlocal_certs\n\tskip_install_trust"
    text = place.read("Caddyfile", **{
        "node1:8080": place.addresses[0], "node2:8080": place.addresses[1],
        "{$DOMAIN} {": f"https://localhost:{place.secure} {{\n\tbind 127.0.0.1\n\ttls {place.certificate} {place.certificate}",
        "admin off": f"admin off\n\thttp_port {place.plain}\n\t{authority}",
    })  # fmt: skip
    return ["caddy", "run", "--adapter", "caddyfile", "--config", place.write("Caddyfile", text)]


COMMANDS: dict[str, Callable[[Place], list[str]]] = {"caddy": caddy, "nginx": nginx, "haproxy": haproxy}


def make_certificate(path: Path) -> None:
    """Key and certificate in one file, as HAProxy has them."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", path, "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text(), encoding="utf-8")


@pytest.fixture(scope="module")
def place(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """For all proxies, which take the same ports in turn; with an account."""
    need(missing_redis())
    folder = tmp_path_factory.mktemp("nodes")
    redis = Redis(folder)
    told = {
        "DATABASE_URL": postgresql.database(), "REDIS_URL": redis.url, "CHAT_COOKIE_SECRET": "of both nodes" * 3,
        "CHAT_TRUSTED_PROXIES": "127.0.0.1",
    }  # fmt: skip
    place = Place(folder, free_port(), free_port(), told)
    make_certificate(place.certificate)
    made = command("user", "add", "ada", "--role", "owner", "--password-stdin", "--data", str(folder / "none"),
                   typed=f"{PASSWORD}\n", **told)  # fmt: skip
    assert made.returncode == 0, made.stderr
    yield place
    for node in place.nodes:
        node.stop()
    redis.stop()


@pytest.fixture(params=COMMANDS)
def proxied(request: pytest.FixtureRequest, place: Place) -> Iterator[Place]:
    """One of them, running in front of the nodes."""
    name: str = request.param
    need(None if shutil.which(name) else f"{name} is missing: sudo apt-get install -y {name}")
    place.start_nodes()
    with (place.folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(COMMANDS[name](place), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        while get(place, "/readyz") != 200:
            assert process.poll() is None, (place.folder / f"{name}.log").read_text()
        yield place
    finally:
        process.terminate()
        process.wait(30)


def get(place: Place, path: str) -> int:
    """The status; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(place.origin + path, timeout=60, context=trusting(place)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def trusting(place: Place) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=place.certificate)


def sign_in(place: Place) -> str:
    """From an address that is no proxy's; the cookie it is answered with."""
    with closing(
        http.client.HTTPSConnection(
            "localhost", place.secure, timeout=60, source_address=(CLIENT, 0), context=trusting(place)
        )
    ) as line:
        form = urllib.parse.urlencode({"name": "ada", "password": PASSWORD})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        line.request("POST", "/login", form, {"Origin": place.origin, "X-Forwarded-For": CLAIMED, **kind})
        answer = line.getresponse()
        answer.read()
        assert answer.status == 303
        return answer.getheader("Set-Cookie") or ""


def smoke(place: Place) -> None:
    """Signs in, opens a socket, sends a message and sees it come: each over a connection of its own."""
    done = command("smoke", "--url", place.origin, "--name", "ada", "--password-stdin", "--timeout", "30",
                   typed=f"{PASSWORD}\n", SSL_CERT_FILE=str(place.certificate))  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def logged(node: Server) -> list[dict[str, Any]]:
    """Signing in, and sockets."""
    lines = [json.loads(line) for line in node.log.splitlines()]
    return [line for line in lines if line["event"] in ("sign_in.ok", "connection.open")]


def test_a_person_is_served_by_any_node_and_by_who_is_left(proxied: Place) -> None:
    first, second = proxied.nodes
    before = addresses(proxied).count(CLIENT)
    assert sign_in(proxied).startswith("__Host-session="), "the nodes know that it came by https"
    assert addresses(proxied).count(CLIENT) == before + 1 and CLAIMED not in addresses(proxied)
    smoke(proxied)
    smoke(proxied)
    assert logged(first) and logged(second), "nobody is kept to one node"
    ended = threading.Thread(target=first.stop)
    ended.start()
    statuses = set()
    while ended.is_alive():
        statuses.add(get(proxied, "/login"))
    ended.join()
    proxied.nodes.remove(first)
    statuses |= {get(proxied, "/login") for _ in range(4)}
    assert statuses == {200}, "a node that goes is missed by nobody"
    smoke(proxied)


def addresses(place: Place) -> list[str]:
    """Where people came from, as the nodes understood it."""
    return [line["address"] for node in place.nodes for line in logged(node)]
