"""nginx in front of the nodes, as a person would set it up: round robin, no sticky sessions."""

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

CONFIGURATION = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    upstream nodes {{
        {servers}
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://nodes;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 1h;
            proxy_next_upstream error timeout http_502 http_503;
        }}
    }}
}}
"""
"""A node that drains answers 503: who asks to connect is taken to the next one. Who was refused by all is told."""


def program() -> str | None:
    """nginx, which Debian keeps out of the PATH of those who are not root."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def missing_nginx() -> str | None:
    return None if program() else "nginx is missing: sudo apt-get install -y nginx"


class Balancer:
    """`with Balancer(folder, port, ports):` - listens on `address`; runs as the current user."""

    def __init__(self, folder: Path, port: int, ports: Sequence[int]) -> None:
        self.address = ("127.0.0.1", port)
        folder.mkdir()
        # A node that could not be reached is asked again at once: with 0 none is ever left out.
        servers = "\n        ".join(f"server 127.0.0.1:{each} max_fails=0;" for each in ports)
        user = "user root;" if os.geteuid() == 0 else ""
        self._file = folder / "nginx.conf"
        self._file.write_text(
            CONFIGURATION.format(folder=folder, port=port, servers=servers, user=user), encoding="utf-8"
        )
        self._log = folder / "error.log"

    def __enter__(self) -> Self:
        found = program()
        assert found is not None
        command = [found, "-e", str(self._log), "-c", str(self._file)]
        checked = subprocess.run([*command, "-t", "-q"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(self.address, 1).close()
                return self
            except OSError:
                assert self._process.poll() is None, self.log

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")
