"""What can go wrong with a delivery.

* DeliveryError
  * PostError: the outcome of one post to the mail provider
    * DefiniteRejectionError: no mail went out, and none will to this address
      * BadAddressError: the address is not one address
      * MailRefusedError: not the address but what is in the mail was refused
    * ThrottledError: no mail went out, later one may
    * UnclearOutcomeError: nobody knows whether a mail went out
      * AlreadyPostedError: this very mail was posted before
  * IllegalMoveError: a state was asked to follow one that it never follows
  * LostClaimError: another process has moved, or holds, the message
  * RevisionConflictError: the revision is registered with other numbers, or a newer one is
  * CorrectionPendingError: an earlier revision went out, or may have
  * DeliveryHeldError: a person holds the tenant's mails
  * DecisionError: what a person decided does not fit how things are
"""

from __future__ import annotations


class DeliveryError(Exception):
    """Base of everything here."""


class PostError(DeliveryError):
    """Base of the outcomes of a post other than success."""


class DefiniteRejectionError(PostError):
    """The provider, or we, refused the address: no mail went out. Retrying cannot help."""


class BadAddressError(DefiniteRejectionError):
    """The address does not parse as exactly one address."""


class MailRefusedError(DefiniteRejectionError):
    """The provider has read the mail and refused it: no mail went out. Other content may."""


class ThrottledError(PostError):
    """The provider wants fewer mails: none went out, and the same post may be tried later."""


class UnclearOutcomeError(PostError):
    """A time-out, a 5xx, a lost connection: the mail may be on its way. Never try again."""


class AlreadyPostedError(UnclearOutcomeError):
    """The mailer has this mail from an earlier post whose outcome was never registered."""


class IllegalMoveError(DeliveryError):
    """A move that `reports_pipeline.delivery.states.MOVES` does not list."""


class LostClaimError(DeliveryError):
    """The message is no longer as it was read; whoever sees this stops. A later try may succeed."""


class RevisionConflictError(DeliveryError):
    """A revision has one set of numbers, and nothing is sent after a newer revision is known."""


class CorrectionPendingError(DeliveryError):
    """What would go out now corrects a mail that may have arrived: a person decides."""

    def __init__(self, message: str, *, earlier_revision: int) -> None:
        super().__init__(message)
        self.earlier_revision = earlier_revision


class DeliveryHeldError(DeliveryError):
    """Nothing goes to this tenant until a person releases it; the message is the reason."""


class DecisionError(DeliveryError):
    """A person asked for what cannot be; the message says how things are and what can be done."""
