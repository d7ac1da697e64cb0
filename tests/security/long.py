"""What takes minutes: `python -m tests security --long` calls `python -m tests.security.long fuzz|wapiti`.

Both install what they need: atheris by the extra `fuzz`, wapiti into `.venv-wapiti`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from chat_app.bootstrap import ROOT
from tests.commands.test_contract import made, sign_in
from tests.processes import Server

FUZZ_SECONDS = 60
SCAN_SECONDS = 60
ATTACK_SECONDS = 20  # of each module
WAPITI = ROOT / ".venv-wapiti"
MODULES = "cookieflags,crlf,csp,csrf,exec,file,http_headers,methods,permanentxss,redirect,sql,ssrf,ssti,timesql,xss,xxe"
NOT_ASKED = (
    "/logout",
    "/account/password",
    "/account/name",
    "/account/sessions/end-others",
    "/account/language",
)
"""What would end the scan's own session, or shut its account out."""
ACCEPTED = {
    "Secure Flag cookie": "on plain http, as here, the cookie cannot have it; on https a test holds it",
    "HTTP Strict Transport Security (HSTS)": "sent on https only (RFC 6797 section 7.2)",
    "Cross Site Request Forgery": "no form has a token: Origin and Sec-Fetch-Site are checked (tests/security/test_forms.py)",
    "Clickjacking Protection": "frame-ancestors 'none' of the policy takes the place of X-Frame-Options",
    "Unencrypted Channels": "the server on loopback speaks http; a proxy in front ends TLS",
}


def fuzz() -> int:
    """Coverage-guided inputs for the decoder and the renderer."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--editable", f"{ROOT}[test,fuzz]"], check=True)
    return subprocess.run(
        [sys.executable, "-m", "tests.security.fuzz.fuzz", str(FUZZ_SECONDS)], check=False
    ).returncode


def wapiti() -> int:
    """A scanner, signed in as an owner, against a server with the limits off."""
    if not (WAPITI / "bin" / "wapiti").exists():
        venv.create(WAPITI, with_pip=True)
        pip = [
            str(WAPITI / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, "-r", str(Path(__file__).parent / "wapiti.txt")], check=True)
    with tempfile.TemporaryDirectory() as folder:
        data, report = Path(folder) / "data", Path(folder) / "report.json"
        made(data, "Ada", "owner")
        with Server(data, "--address-rate-limit", "0", "--registration", "open") as server:
            scan(server, report, Path(folder))
            healthy = '"ok":true' in server.get("/healthz")
            broken = "request.failed" in server.log or '"level": "error"' in server.log
        found = json.loads(report.read_text())["vulnerabilities"]
    bad = {name: each for name, each in found.items() if each and name not in ACCEPTED}
    for name, each in bad.items():
        for one in each:
            print(f"{name}: {one['method']} {one['path']}: {one['info']}", flush=True)
    print(
        f"{sum(map(len, found.values()))} findings, {sum(map(len, bad.values()))} of them not accepted",
        flush=True,
    )
    if broken or not healthy:
        print("The server failed under the scan; its log:\n" + server.log[-4_000:], flush=True)
    return 1 if bad or broken or not healthy else 0


def scan(server: Server, report: Path, folder: Path) -> None:
    excluded = [word for path in NOT_ASKED for word in ("-x", server.url + path)]
    subprocess.run(
        [
            str(WAPITI / "bin" / "wapiti"), "-u", f"{server.url}/rooms/lobby", "--scope", "domain", "-m", MODULES, *excluded,
            "-s", f"{server.url}/people", "-s", f"{server.url}/account", "-s", f"{server.url}/login",
            "-H", f"Cookie: {sign_in(server, 'Ada')}", "-H", f"Origin: {server.url}", "--no-bugreport", "--flush-session",
            "--store-session", str(folder / "session"), "--max-scan-time", str(SCAN_SECONDS),
            "--max-attack-time", str(ATTACK_SECONDS), "-f", "json", "-o", str(report), "-v", "0",
        ],
        check=True,
        timeout=1_200,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit({"fuzz": fuzz, "wapiti": wapiti}[sys.argv[1]]())
