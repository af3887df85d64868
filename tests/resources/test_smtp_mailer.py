import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session
from aiosmtpd.smtp import Envelope as Received

from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.errors import (
    DefiniteRejectionError,
    MailRefusedError,
    PostError,
    ThrottledError,
    UnclearOutcomeError,
)
from reports_pipeline.delivery.messages import Envelope
from reports_pipeline.delivery.mime import Mail
from resources.smtp_mailer import Relay, SmtpMailer
from tests.send_rates import AtOnce

ENVELOPE = Envelope("t0001", Month(2026, 10), 1, recipient_no=1)


def mail() -> Mail:
    message = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))
    message["From"] = "経理レポート <reports@financeflow.example>"
    message["To"] = "佐藤 <sato@sakura.example>"
    message["Subject"] = "月次レポート"
    message.set_content("本文\n.\n点だけの行の後\n")
    return Mail("reports@financeflow.example", "sato@sakura.example", (message.as_bytes(),))


class Server:
    """The commands' replies, and the mails that were accepted."""

    def __init__(self, **replies: str) -> None:
        self._replies = replies
        self.received: list[Received] = []

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Received, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._replies.get("mail", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Received, address: str, options: list[str]
    ) -> str:
        if "rcpt" in self._replies:
            return self._replies["rcpt"]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Received
    ) -> str:
        reply = self._replies.get("data", "250 queued as 4F2A")
        if reply.startswith("2"):
            self.received.append(envelope)
        return reply


@contextlib.contextmanager
def relay(server: Server, **options: Any) -> Iterator[Relay]:
    """A real server on a port of its own."""
    loop = asyncio.new_event_loop()
    serving = loop.run_until_complete(
        loop.create_server(lambda: SMTP(server, loop=loop, **options), "127.0.0.1", 0)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Relay("127.0.0.1", serving.sockets[0].getsockname()[1], "none")
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        serving.close()
        loop.run_until_complete(serving.wait_closed())
        loop.close()


def test_a_mail_arrives_whole() -> None:
    server = Server()
    with relay(server) as there:
        assert SmtpMailer(there, AtOnce()).post(mail(), envelope=ENVELOPE) == "queued as 4F2A"
    [received] = server.received
    assert received.mail_from == "reports@financeflow.example"
    assert received.rcpt_tos == ["sato@sakura.example"]
    assert isinstance(received.content, bytes)
    parsed = message_from_bytes(received.content, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    assert parsed["Subject"] == "月次レポート"
    assert parsed.get_content().splitlines() == ["本文", ".", "点だけの行の後"]


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ({"rcpt": "550 5.1.1 no such user"}, DefiniteRejectionError),
        ({"rcpt": "450 4.2.1 greylisted"}, ThrottledError),
        ({"rcpt": "550 no such user"}, DefiniteRejectionError),
        ({"rcpt": "553 sorry, no mailbox here by that name"}, DefiniteRejectionError),
        ({"rcpt": "550 5.1.2 bad destination host"}, DefiniteRejectionError),
        ({"rcpt": "550 5.1.6 the mailbox has moved"}, DefiniteRejectionError),
        ({"rcpt": "556 5.1.10 the domain takes no mail (null MX)"}, DefiniteRejectionError),
        ({"data": "552 5.3.4 too big"}, MailRefusedError),
        ({"data": "451 4.3.0 later"}, ThrottledError),
        # of all our mails, not of this address
        ({"rcpt": "554 5.7.1 Relay access denied"}, ThrottledError),
        ({"rcpt": "550 5.4.5 Daily user sending limit exceeded"}, ThrottledError),
        ({"rcpt": "530 Authentication required"}, ThrottledError),
        ({"rcpt": "550 5.1.8 Sender address rejected: Domain not found"}, ThrottledError),
        ({"rcpt": "550 5.1.7 sender syntax"}, ThrottledError),
        ({"rcpt": "550 5.1.0 Sender rejected"}, ThrottledError),
        ({"rcpt": "550 relay not permitted"}, ThrottledError),
        ({"rcpt": "550 Sender verify failed"}, ThrottledError),
        ({"rcpt": "550 message refused by local policy"}, ThrottledError),
        ({"rcpt": "550 Administrative prohibition"}, ThrottledError),
        ({"rcpt": "550 your host is on a blocklist"}, ThrottledError),
        ({"rcpt": "553 rejected as spam"}, ThrottledError),
        ({"rcpt": "551 user not local"}, ThrottledError),
        ({"rcpt": "450 5.1.1 perhaps later"}, ThrottledError),
        ({"mail": "550 5.7.1 not allowed to send"}, ThrottledError),
    ],
)
def test_a_refusal_has_certainly_sent_nothing(
    replies: dict[str, str], outcome: type[PostError]
) -> None:
    server = Server(**replies)
    with relay(server) as there, pytest.raises(outcome, match="the relay refuses"):
        SmtpMailer(there, AtOnce()).post(mail(), envelope=ENVELOPE)
    assert server.received == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_who_we_are_is_told_to_the_relay_and_refused_where_it_is_wrong() -> None:
    server = Server()

    def authenticate(
        _server: SMTP, _session: Session, _envelope: Received, _mechanism: str, data: object
    ) -> AuthResult:
        right = LoginPassword(b"reports", b"p@ss:word")
        return AuthResult(success=data == right, handled=False)

    options = {
        "authenticator": authenticate, "auth_required": True, "auth_require_tls": False,
    }  # fmt: skip
    with relay(server, **options) as there:
        known = Relay(there.host, there.port, "none", "reports", "p@ss:word")
        SmtpMailer(known, AtOnce()).post(mail(), envelope=ENVELOPE)
        wrong = Relay(there.host, there.port, "none", "reports", "guess")
        with pytest.raises(ThrottledError, match="takes no mail from us") as raised:
            SmtpMailer(wrong, AtOnce()).post(mail(), envelope=ENVELOPE)
    assert len(server.received) == 1
    assert "guess" not in str(raised.value)


def test_an_address_that_a_relay_repeats_is_not_kept() -> None:
    with (
        relay(Server(rcpt="450 4.2.0 <sato@sakura.example>: greylisted")) as there,
        pytest.raises(ThrottledError) as raised,
    ):
        SmtpMailer(there, AtOnce()).post(mail(), envelope=ENVELOPE)
    assert "greylisted" in str(raised.value)
    assert "sato" not in str(raised.value)


def test_a_password_that_cannot_be_written_is_not_repeated() -> None:
    with relay(Server(), auth_require_tls=False, auth_required=False) as there:
        wrong = Relay(there.host, there.port, "none", "reports", "geheim-pässwort")
        with pytest.raises(ThrottledError) as raised:
            SmtpMailer(wrong, AtOnce()).post(mail(), envelope=ENVELOPE)
    assert "geheim" not in str(raised.value)


def test_a_name_that_no_relay_can_have_has_certainly_sent_nothing() -> None:
    nowhere = Relay("relay..example", 25, "none")
    with pytest.raises(ThrottledError, match="cannot be reached"):
        SmtpMailer(nowhere, AtOnce()).post(mail(), envelope=ENVELOPE)


@pytest.mark.parametrize("reply", [b"xyz what", b"354 go on"])
def test_a_last_reply_that_cannot_be_read_leaves_the_mail_unclear(reply: bytes) -> None:
    with (
        _script(b"220 hello", [b"250 hi", b"250 ok", b"250 ok", b"354 go on"], reply) as port,
        pytest.raises(UnclearOutcomeError),
    ):
        SmtpMailer(Relay("127.0.0.1", port, "none"), AtOnce()).post(mail(), envelope=ENVELOPE)


def test_a_relay_without_encryption_gets_nothing_where_encryption_is_asked_for() -> None:
    server = Server()
    with relay(server) as there:
        strict = Relay(there.host, there.port, "starttls")
        with pytest.raises(ThrottledError, match="STARTTLS"):
            SmtpMailer(strict, AtOnce()).post(mail(), envelope=ENVELOPE)
    assert server.received == []


def test_a_relay_that_is_not_there_has_certainly_sent_nothing() -> None:
    with pytest.raises(ThrottledError, match="cannot be reached"):
        SmtpMailer(Relay("127.0.0.1", 9, "none"), AtOnce()).post(mail(), envelope=ENVELOPE)


@pytest.mark.parametrize("last_words", [b"", None], ids=["reset", "silence"])
def test_a_relay_lost_after_the_content_leaves_the_mail_unclear(last_words: bytes | None) -> None:
    """It may have queued the mail before its reply was lost."""
    with (
        _script(b"220 hello", [b"250 hi", b"250 ok", b"250 ok", b"354 go on"], last_words) as port,
        pytest.raises(UnclearOutcomeError, match="lost before it confirmed"),
    ):
        SmtpMailer(Relay("127.0.0.1", port, "none"), AtOnce(), timeout_seconds=0.5).post(
            mail(), envelope=ENVELOPE
        )


def test_a_relay_lost_before_the_content_has_certainly_sent_nothing() -> None:
    with (
        _script(b"220 hello", [b"250 hi", b"250 ok"], b"") as port,
        pytest.raises(ThrottledError, match="lost before the mail"),
    ):
        SmtpMailer(Relay("127.0.0.1", port, "none"), AtOnce()).post(mail(), envelope=ENVELOPE)


@contextlib.contextmanager
def _script(greeting: bytes, replies: list[bytes], last_words: bytes | None) -> Iterator[int]:
    """A relay that answers a connection's commands by rote, and then hangs up (b""), is silent
    (None) or says something."""
    listener = socket.create_server(("127.0.0.1", 0))
    finished = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(greeting + b"\r\n")
            for reply in replies:
                lines.readline()
                connection.sendall(reply + b"\r\n")
            while lines.readline() not in (b".\r\n", b""):
                if len(replies) < 4:
                    break
            if last_words is None:
                finished.wait(5)
            elif last_words:
                connection.sendall(last_words + b"\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        finished.set()
        thread.join()
        listener.close()


@pytest.mark.parametrize(
    ("url", "relay_of_url"),
    [
        ("smtps://mail.example", Relay("mail.example", 465, "tls")),
        (
            "smtp://re%40ports:p%3Aw@mail.example:2587",
            Relay("mail.example", 2587, "starttls", "re@ports", "p:w"),
        ),
        ("smtp+plain://127.0.0.1:1025", Relay("127.0.0.1", 1025, "none")),
    ],
)
def test_a_relay_is_named_by_a_url(url: str, relay_of_url: Relay) -> None:
    assert Relay.of_url(url) == relay_of_url


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp+plain://me:secret@mail.example",
        "smtps://me:secret#1@mail.example",
        "smtps://me:12#secret@mail.example",
    ],
)
def test_a_bad_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="smtp") as raised:
        Relay.of_url(url)
    assert "secret" not in str(raised.value)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Relay.of_url("smtps://me:secret@mail.example"))
