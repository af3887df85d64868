"""Mails through a relay that speaks SMTP (RFC 5321)."""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from reports_pipeline.delivery.errors import (
    DefiniteRejectionError,
    MailRefusedError,
    ThrottledError,
    UnclearOutcomeError,
)
from reports_pipeline.delivery.messages import Envelope
from reports_pipeline.delivery.mime import Mail
from reports_pipeline.delivery.replies import kept_reply
from resources.mailer import Mailer
from resources.send_rate import SendRate

Encryption = Literal["tls", "starttls", "none"]
_PORTS: dict[Encryption, int] = {"tls": 465, "starttls": 587, "none": 25}
# A relay's name, or a password, that cannot be written is a ValueError.
_BEFORE_THE_MAIL = (smtplib.SMTPException, OSError, ValueError)
_ENHANCED_STATUS = re.compile(r"\s*(?P<status>[245]\.\d{1,3}\.\d{1,3})\b")
# RFC 3463 and 7505: no such mailbox or system, a misspelt address, a mailbox that has moved, a
# domain that takes no mail. The other 5.1.x are of the sender, or of both.
_OF_THE_ADDRESS = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}
# In words, since relays say these with the code of a mailbox that is not there.
_OF_OUR_MAILS = re.compile(
    r"relay|sender|policy|polici|denied|prohibit|verif|not permitted|not allowed|authenti|authori"
    r"|block|black|spam|reputation|\b(listed|rbl|spf|dkim|dmarc)\b|limit|quota|too many",
    re.IGNORECASE,
)
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
        rest = (parts.path.strip("/"), parts.query, parts.fragment)
        try:
            port = parts.port
        except ValueError:  # its text repeats what may be part of a password
            port = 0
        if encryption is None or not parts.hostname or any(rest) or port == 0:
            raise ValueError(
                "must be smtps://, smtp:// or smtp+plain://[user:password@]host[:port], where what "
                "is special in a URL is written as %23 and so on"
            )
        if parts.username and encryption == "none":
            raise ValueError("smtp+plain:// would send the password readable to all")
        return cls(
            parts.hostname,
            port or _PORTS[encryption],
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

    def post(self, mail: Mail, *, envelope: Envelope) -> str:  # noqa: ARG002 - the mail's own headers say which it is
        """As for every mailer; the id is the relay's last reply, in which relays name their own.

        Refused is the address only where the relay says so of the recipient; what it says of us or
        of itself ends when an operator has acted. Where the content may have gone out and no reply
        came that can be read, nobody knows.
        """
        with self._session() as session:
            code, reply = session.mail(mail.sender)
            if not _is_positive(code):
                raise ThrottledError(_refusal("the sender", code, reply))
            code, reply = session.rcpt(mail.recipient)
            if _is_of_the_address(code, reply):
                raise DefiniteRejectionError(_refusal("the recipient", code, reply))
            if not _is_positive(code):
                raise ThrottledError(_refusal("the recipient", code, reply))
            try:
                code, answer = session.data(mail.as_bytes())
            except smtplib.SMTPDataError as error:  # before the content
                refusal = _refusal("a mail", error.smtp_code, error.smtp_error)
                raise ThrottledError(refusal) from error
            except (smtplib.SMTPException, OSError) as error:
                raise UnclearOutcomeError(
                    f"the relay was lost before it confirmed the mail: {type(error).__name__}"
                ) from error
        if _is_positive(code):
            return kept_reply(answer)
        if 400 <= code < 500:
            raise ThrottledError(_refusal("the mail", code, answer))
        if 500 <= code < 600:
            raise MailRefusedError(_refusal("the mail", code, answer))
        raise UnclearOutcomeError(_refusal("to be understood", code, answer))

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
        except _BEFORE_THE_MAIL as error:
            raise ThrottledError(_failed("the relay cannot be reached", error)) from error
        try:
            try:
                session.ehlo_or_helo_if_needed()
                if relay.encryption == "starttls":
                    session.starttls(context=tls)
                    session.ehlo_or_helo_if_needed()
                if relay.user is not None:
                    session.login(relay.user, relay.password or "")
            except _BEFORE_THE_MAIL as error:
                raise ThrottledError(_failed("the relay takes no mail from us", error)) from error
            try:
                yield session
            except (smtplib.SMTPServerDisconnected, OSError) as error:
                # The content is guarded where it is sent.
                raise ThrottledError(
                    _failed("the relay was lost before the mail", error)
                ) from error
        finally:
            # Politeness; the mail's fate is known already.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                session.quit()
            session.close()


def _is_positive(code: int) -> bool:
    return 200 <= code < 300


def _is_of_the_address(code: int, reply: bytes | str) -> bool:
    """Whether a reply to RCPT says that there is no such address: by its enhanced status, or,
    without one, by a code that may mean it (RFC 5321) and no word against it. In doubt the mails
    wait: an address that is refused late costs less than thousands that are refused wrongly."""
    text = reply if isinstance(reply, str) else reply.decode("ascii", "replace")
    enhanced = _ENHANCED_STATUS.match(text)
    if enhanced is not None:
        return 500 <= code < 600 and enhanced["status"] in _OF_THE_ADDRESS
    return code in (550, 553) and _OF_OUR_MAILS.search(text) is None


def _refusal(what: str, code: int, reply: bytes | str) -> str:
    return f"the relay refuses {what}: {code} {kept_reply(reply)}"


def _failed(what: str, error: Exception) -> str:
    """Without the error's own text where that repeats what we sent: the password."""
    said = kept_reply(str(error)) if isinstance(error, (smtplib.SMTPException, OSError)) else ""
    return f"{what}: {type(error).__name__} {said}".rstrip()
