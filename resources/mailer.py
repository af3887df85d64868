"""Who takes the mails: a provider, or a folder on a laptop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from reports_pipeline.delivery.errors import AlreadyPostedError, ThrottledError
from reports_pipeline.delivery.messages import Envelope
from reports_pipeline.delivery.mime import Mail
from resources.new_file import write_new_file


class Mailer(ABC):
    def wait_for_turn(self) -> None:  # noqa: B027 - a folder waits for nobody
        """Return when one more mail may be posted: providers count mails a second, and refuse what
        is more. By default at once."""

    @abstractmethod
    def post(self, mail: Mail, *, envelope: Envelope) -> str:
        """Hand over one mail, trying once only; returns the provider's id of it.

        Raises:
            DefiniteRejectionError: the address is refused; no mail went out.
            ThrottledError: no mail went out; later one may.
            UnclearOutcomeError: a mail may have gone out. So it may after any other exception.
        """


class OutboxMailer(Mailer):
    """Complete mails as files that a mail program opens: `2026-10/t0001_r1_1.eml`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def post(self, mail: Mail, *, envelope: Envelope) -> str:
        """As for every mailer; the id is the path of the file in the folder.

        Raises:
            AlreadyPostedError: the mail is there; it is not overwritten.
            ThrottledError: the folder cannot be written, for example on a full disk.
        """
        name = f"{envelope.tenant_id}_r{envelope.revision}_{envelope.recipient_no}"
        if envelope.test_id is not None:
            name += f"_test-{envelope.test_id}"
        path = Path(str(envelope.month)) / f"{name}.eml"
        try:
            write_new_file(self._folder / path, mail.as_bytes())
        except FileExistsError:
            raise AlreadyPostedError(f"{path} is in the outbox") from None
        except OSError as error:
            raise ThrottledError(f"the outbox cannot be written: {error}") from error
        return str(path)
