"""Mails through Amazon SES, version 2 of its API."""

from __future__ import annotations

from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    MetadataRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
    TokenRetrievalError,
)

from reports_pipeline.delivery.errors import (
    DefiniteRejectionError,
    MailRefusedError,
    PostError,
    ThrottledError,
    UnclearOutcomeError,
)
from reports_pipeline.delivery.messages import Envelope
from reports_pipeline.delivery.mime import Mail
from reports_pipeline.delivery.replies import kept_reply
from resources.mailer import Mailer
from resources.send_rate import SendRate

# The request never left, so no mail did.
_NOT_SENT = (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    MetadataRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    TokenRetrievalError,
)
# Not ProxyConnectionError: behind a proxy, a connection that was lost after the request is one too.


class SesClient(Protocol):
    """The part of the `sesv2` client that mails need."""

    def send_email(self, **request: Any) -> Any: ...
    def get_account(self) -> Any: ...


def ses_client(*, read_timeout: float = 60) -> SesClient:
    """A client that posts once: by default boto3 posts again after a time-out or a 500, and SES,
    which knows no idempotency key, would send another mail."""
    client: SesClient = boto3.client(
        "sesv2",
        config=Config(
            retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=read_timeout
        ),
    )
    return client


def send_rate_of_account(client: SesClient) -> float:
    """Mails a second that the account may send, less a tenth for what else it sends.

    Raises:
        ThrottledError: SES does not say.
    """
    try:
        quota = client.get_account()["SendQuota"]
    except (ClientError, BotoCoreError) as error:
        raise ThrottledError(f"SES does not say what may be sent: {error}") from error
    return 0.9 * float(quota["MaxSendRate"])


class SesMailer(Mailer):
    """Raw MIME, one message per recipient. SES replaces its Message-ID, so the identity of a mail
    travels in its tags, with which every event of the configuration set comes back."""

    def __init__(self, client: SesClient, send_rate: SendRate, *, configuration_set: str) -> None:
        self._client = client
        self._send_rate = send_rate
        self._configuration_set = configuration_set

    def wait_for_turn(self) -> None:
        self._send_rate.wait()

    def post(self, mail: Mail, *, envelope: Envelope) -> str:
        """As for every mailer; the id is the MessageId of SES."""
        try:
            answer = self._client.send_email(
                FromEmailAddress=mail.sender,
                Destination={"ToAddresses": [mail.recipient]},
                Content={"Raw": {"Data": mail.as_bytes()}},
                ConfigurationSetName=self._configuration_set,
                EmailTags=[
                    {"Name": name, "Value": value}
                    for name, value in {
                        "delivery_id": envelope.delivery_id,
                        "recipient_no": str(envelope.recipient_no),
                        "tenant_id": envelope.tenant_id,
                        "month": str(envelope.month),
                        "revision": str(envelope.revision),
                    }.items()
                ],
            )
        except ClientError as error:
            raise _outcome(error) from error
        except _NOT_SENT as error:
            raise ThrottledError(f"SES was not reached: {error}") from error
        except BotoCoreError as error:
            # Of a certificate nobody trusts; any other break of TLS may come after the request.
            if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ThrottledError(f"SES was not reached: {error}") from error
            raise UnclearOutcomeError(f"SES did not answer: {error}") from error
        message_id: str = answer["MessageId"]
        return message_id


def _outcome(error: ClientError) -> PostError:
    """What an error response says of the mail.

    MessageRejected is of this mail, unless the sender is not verified. Every other refusal (a
    paused account, a configuration set that does not exist, expired credentials) is of all mails,
    and ends when an operator has acted.
    """
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    code = error.response["Error"]["Code"]
    message = error.response["Error"].get("Message", "")
    text = kept_reply(f"SES answered {status} {code}: {message}")
    if not 400 <= status < 500:
        return UnclearOutcomeError(text)
    if code != "MessageRejected" or "not verified" in message:
        return ThrottledError(text)
    if "suppression list" in message:
        return DefiniteRejectionError(text)
    return MailRefusedError(text)
