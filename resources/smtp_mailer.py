"""Mails through a relay that speaks SMTP (RFC 5321)."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from reports_pipeline.delivery.errors import (
    DefiniteRejectionError,
    ThrottledError,
    UnclearOutcomeError,
)
from reports_pipeline.delivery.messages import Envelope
from resources.mailer import Mailer
from resources.send_rate import SendRate

Encryption = Literal["tls", "starttls", "none"]
_PORTS: dict[Encryption, int] = {"tls": 465, "starttls": 587, "none": 25}
_SCHEMES: dict[str, Encryption] = {"smtps": "tls", "smtp": "starttls", "smtp+plain": "none"}


@dataclass(frozen=True)
class Relay:
    """Where the relay is, and who we are to it."""

    host: str
    port: int
    encryption: Encryption
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of_url(cls, url: str) -> Self:
        """From `smtps://user:password@host:port` (TLS from the first byte), `smtp://…` (STARTTLS,
        without which nothing is sent) or `smtp+plain://…` (a relay on the same machine).

        Raises:
            ValueError: it is no such URL; the message does not repeat it, as it holds a password.
        """
        parts = urlsplit(url)
        encryption = _SCHEMES.get(parts.scheme)
        if encryption is None or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError(
                "must be smtps://, smtp:// or smtp+plain://[user:password@]host[:port]"
            )
        if parts.username and encryption == "none":
            raise ValueError("smtp+plain:// would send the password readable to all")
        return cls(
            parts.hostname,
            parts.port or _PORTS[encryption],
            encryption,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )


class SmtpMailer(Mailer):
    """One connection and one transaction for each mail: what became of it is never in doubt
    because of another one."""

    def __init__(
        self,
        relay: Relay,
        send_rate: SendRate,
        *,
        timeout_seconds: float = 60,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls`: the certificates to trust, the system's by default."""
        self._relay = relay
        self._send_rate = send_rate
        self._timeout_seconds = timeout_seconds
        self._tls = tls

    def wait_for_turn(self) -> None:
        self._send_rate.wait()

    def post(self, message: EmailMessage, *, envelope: Envelope) -> str:  # noqa: ARG002 - the mail's own headers say which it is
        """As for every mailer; the id is the relay's last reply, in which relays name their own.

        A reply of 4xx means later, one of 5xx to the recipient or the content means never. Where
        the content has begun to go out and no reply came, nobody knows.
        """
        sender = message["From"].addresses[0].addr_spec
        [recipient] = message["To"].addresses
        content = message.as_bytes()
        with self._session() as session:
            _require(session.mail(sender), "the sender", never=ThrottledError)
            _require(session.rcpt(recipient.addr_spec), "the recipient")
            try:
                reply = session.data(content)
            except smtplib.SMTPDataError as error:  # before the content
                _require((error.smtp_code, error.smtp_error), "a mail")
                raise
            except (smtplib.SMTPException, OSError) as error:
                raise UnclearOutcomeError(
                    f"the relay was lost before it confirmed the mail: {error!r}"
                ) from error
            _require(reply, "the mail")
        return _text(reply[1])

    @contextlib.contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        """A session that is ready for a mail; whatever fails on the way has sent nothing."""
        relay = self._relay
        tls = self._tls or ssl.create_default_context()
        try:
            session = (
                smtplib.SMTP_SSL(relay.host, relay.port, timeout=self._timeout_seconds, context=tls)
                if relay.encryption == "tls"
                else smtplib.SMTP(relay.host, relay.port, timeout=self._timeout_seconds)
            )
        except (smtplib.SMTPException, OSError) as error:
            raise ThrottledError(f"the relay cannot be reached: {error}") from error
        try:
            try:
                session.ehlo_or_helo_if_needed()
                if relay.encryption == "starttls":
                    session.starttls(context=tls)
                if relay.user is not None:
                    session.login(relay.user, relay.password or "")
            except (smtplib.SMTPException, OSError) as error:
                raise ThrottledError(f"the relay takes no mail from us: {error}") from error
            try:
                yield session
            except (smtplib.SMTPServerDisconnected, OSError) as error:
                # The content is guarded where it is sent.
                raise ThrottledError(f"the relay was lost before the mail: {error}") from error
        finally:
            # Politeness; the mail's fate is known already.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                session.quit()
            session.close()


def _require(
    reply: tuple[int, bytes | str],
    what: str,
    *,
    never: type[ThrottledError | DefiniteRejectionError] = DefiniteRejectionError,
) -> None:
    """Let a positive reply pass; `never` is what a permanent refusal means."""
    code, text = reply
    if code < 400:
        return
    refusal = f"the relay refuses {what}: {code} {_text(text)}"
    raise never(refusal) if code >= 500 else ThrottledError(refusal)


def _text(reply: bytes | str) -> str:
    text = reply if isinstance(reply, str) else reply.decode("utf-8", "replace")
    return " ".join(text.split())
