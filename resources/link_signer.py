"""Links that show one document to whoever holds them, until they expire."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode

from resources.new_file import write_new_file

_SECRET_BYTES = 32


class AlteredLinkError(ValueError):
    """We never signed this link as it is."""


class ExpiredLinkError(ValueError):
    """We signed this link, and it works no more."""


class WeakSecretError(ValueError):
    """The secret could be guessed; the message says which, and what to do."""


class LinkSigner:
    """Signs key, file name and expiry of a link with HMAC-SHA256.

    `secret` is asked when a link is signed or verified; whoever knows it can make links.
    """

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret

    def require_secret(self) -> None:
        """
        Raises:
            WeakSecretError: there is none that could be used.
        """
        self._secret()

    def sign(self, key: str, *, file_name: str, until: datetime.datetime) -> str:
        """The query of a link; `until` has a time zone."""
        expires = int(until.timestamp())
        return urlencode(
            {
                "file_name": file_name,
                "expires": expires,
                "signature": self._signature(key, file_name, str(expires)),
            }
        )

    def verify(self, key: str, query: str, *, now: datetime.datetime) -> str:
        """The file name in the query of a link to `key`.

        Raises:
            AlteredLinkError: key, file name, expiry or signature are not as they were signed.
            ExpiredLinkError: the link is genuine and its time is over.
        """
        given = parse_qsl(query, keep_blank_values=True)
        named = dict(given)
        if len(given) != len(named) or named.keys() != {"file_name", "expires", "signature"}:
            raise AlteredLinkError("not a link of ours")
        signature = self._signature(key, named["file_name"], named["expires"])
        if not hmac.compare_digest(signature.encode(), named["signature"].encode()):
            raise AlteredLinkError("the signature is another one")
        if now.timestamp() >= int(named["expires"]):
            raise ExpiredLinkError(f"the link expired at {named['expires']}")
        return named["file_name"]

    def _signature(self, key: str, file_name: str, expires: str) -> str:
        # As JSON, so that no part can end where another begins.
        signed = json.dumps([key, file_name, expires]).encode()
        return hmac.new(self._secret(), signed, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class SharedLinks:
    """Makes links below the address `base`, where a server verifies what `signer` signs."""

    base: str
    signer: LinkSigner

    def __call__(self, key: str, /, *, file_name: str, until: datetime.datetime) -> str:
        query = self.signer.sign(key, file_name=file_name, until=until)
        return f"{self.base.rstrip('/')}/{quote(key)}?{query}"


def kept_secret(path: Path) -> bytes:
    """The secret in a file that only its owner reads; it is made by whoever asks first.

    Raises:
        WeakSecretError: what is in the file is too short for one.
    """
    with contextlib.suppress(FileExistsError):
        write_new_file(path, secrets.token_bytes(_SECRET_BYTES), mode=0o600)
    secret = path.read_bytes()
    if len(secret) < _SECRET_BYTES:
        raise WeakSecretError(
            f"{path}: a secret has {_SECRET_BYTES} bytes or more, and this one {len(secret)}; "
            "remove the file, and another is made, which ends all links that are out"
        )
    return secret
