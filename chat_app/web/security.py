"""`/admin/security`: what protects this chat and what is weak in this deployment, in words with the fix.

For owners. It judges only what the process itself knows: settings, what it saw of requests, its own backups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tornado.web import HTTPError

from chat_app.core.permissions import allows
from chat_app.errors import N_
from chat_app.web.base import Access, BaseHandler

BACKUP_OLD_MS = 7 * 86_400_000
METRICS_TOKEN_SHORT = 16
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
_LIMITS = (
    "rate_limit", "rate_window_seconds", "account_rate_limit", "address_rate_limit", "frame_rate_limit",
    "account_connections", "address_connections", "failed_handshakes",
)  # fmt: skip

ALWAYS = (
    N_("Passwords are kept as argon2id hashes; guesses are slowed down by name, address and device."),
    N_("Sessions end after 14 days without use and after 30 in any case; a new password ends the others."),
    N_("Forms and connections from other sites are refused; pages run no script but their own."),
    N_("Messages are cleaned before they are stored; what is deleted is overwritten in the database."),
    N_("The log holds no message, password, cookie or token."),
)
"""What no setting changes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fix` only where it is weak."""

    name: str
    weak: bool
    words: str
    fix: str | None = None


class SecurityPage(BaseHandler):
    """`/admin/security`."""

    access = Access.ADMIN

    async def get(self) -> None:
        """The page."""
        if not allows(self.me, "see_security"):
            raise HTTPError(403)
        backed_up_ms = await self.services.database.last_backup_ms()
        findings = [*self._of_the_way(), *self._of_the_settings(), self._of_backups(backed_up_ms)]
        self.render_page(
            "pages/security.html",
            findings=sorted(findings, key=lambda finding: not finding.weak),
            weak=sum(finding.weak for finding in findings),
            always=[self.language.say(text) for text in ALWAYS],
        )

    def _finding(self, name: str, text: str, fix: str | None = None, **values: object) -> Finding:
        say = self.language.say
        return Finding(name, fix is not None, say(text, **values), say(fix, **values) if fix else None)

    def _of_the_way(self) -> Iterator[Finding]:
        origins = self.services.settings.allowed_origins
        away = [origin for origin in origins if urlsplit(origin).hostname not in _LOOPBACK]
        plain = next((origin for origin in away if origin.startswith("http://")), None)
        if plain is not None:
            yield self._finding(
                "https",
                N_("People use %(origin)s without encryption: passwords and messages can be read on it."),
                N_("Put a web server with TLS in front and name only https:// addresses in ALLOWED_ORIGINS."),
                origin=plain,
            )
        elif away:
            yield self._finding("https", N_("Every address people use is encrypted (https)."))
        else:
            yield self._finding("https", N_("Only this machine can use the chat: nothing to encrypt."))
        stranger = self.services.state.forwarded_by
        if stranger is None:
            yield self._finding("proxy", N_("No request came through a proxy that is not trusted."))
        else:
            yield self._finding(
                "proxy",
                N_("A request from %(address)s came with X-Forwarded-For, but that address is not trusted."),
                N_(
                    "If it is your proxy, name it in CHAT_TRUSTED_PROXIES: until then all share its limits. "
                    "If not, somebody tried to pass for another; that was ignored."
                ),
                address=stranger,
            )

    def _of_the_settings(self) -> Iterator[Finding]:
        settings = self.services.settings
        if settings.registration == "open":
            yield self._finding(
                "registration",
                N_("Anybody who finds the sign-in page can make an account."),
                N_("Set CHAT_REGISTRATION to invite unless the chat is meant for everybody."),
            )
        else:
            yield self._finding("registration", N_("An account needs an invitation or an administrator."))
        off = [name for name in _LIMITS if not getattr(settings, name)]
        if off:
            yield self._finding(
                "limits",
                N_("Limits are switched off: %(names)s."),
                N_("A limit of 0 is for benchmarks: remove these settings to get the defaults back."),
                names=", ".join(f"CHAT_{name.upper()}" for name in off),
            )
        else:
            yield self._finding("limits", N_("Every limit on messages and connections is on."))
        token = settings.metrics_token
        if token is None:
            yield self._finding("metrics", N_("Only this machine can read the metrics."))
        elif len(token) < METRICS_TOKEN_SHORT:
            yield self._finding(
                "metrics",
                N_("The token of the metrics is short enough to be guessed."),
                N_("Set CHAT_METRICS_TOKEN to what `openssl rand -hex 32` prints."),
            )
        else:
            yield self._finding("metrics", N_("The metrics need a token from elsewhere."))

    def _of_backups(self, backed_up_ms: int | None) -> Finding:
        fix = N_("Run the command backup once a day, and keep the files on another machine.")
        if backed_up_ms is None:
            return self._finding("backup", N_("There has never been a backup."), fix)
        days = (self.services.clock_ms() - backed_up_ms) // 86_400_000
        if self.services.clock_ms() - backed_up_ms > BACKUP_OLD_MS:
            return self._finding("backup", N_("The last backup is %(days)s days old."), fix, days=days)
        return self._finding("backup", N_("The last backup is less than a week old."))
