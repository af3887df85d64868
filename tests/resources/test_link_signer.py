"""A link shows the one document it was made for, and no longer than it says."""

from __future__ import annotations

import datetime
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from resources.link_signer import (
    AlteredLinkError,
    ExpiredLinkError,
    LinkSigner,
    SharedLinks,
    WeakSecretError,
    kept_secret,
)

KEY = "reports/t0001/2026-10/r1/income_statement.pdf"
FILE_NAME = "損益計算書 2026年10月&.pdf"
UNTIL = datetime.datetime(2026, 11, 8, 6, 30, tzinfo=datetime.UTC)
BEFORE = UNTIL - datetime.timedelta(seconds=1)
SIGNER = LinkSigner(lambda: b"s" * 32)
QUERY = SIGNER.sign(KEY, file_name=FILE_NAME, until=UNTIL)


def altered(**values: str) -> str:
    given = {name: value[0] for name, value in parse_qs(QUERY).items()}
    return urlencode({**given, **values})


def test_a_link_works_until_it_expires() -> None:
    assert SIGNER.verify(KEY, QUERY, now=BEFORE) == FILE_NAME
    with pytest.raises(ExpiredLinkError):
        SIGNER.verify(KEY, QUERY, now=UNTIL)


@pytest.mark.parametrize(
    "base", ["https://files.example/reports", "https://files.example/reports/"]
)
def test_a_link_leads_to_the_server_that_knows_the_signer(base: str) -> None:
    address = urlsplit(SharedLinks(base, SIGNER)(KEY, file_name=FILE_NAME, until=UNTIL))
    assert f"{address.scheme}://{address.netloc}" == "https://files.example"
    assert address.path == f"/reports/{KEY}"
    assert SIGNER.verify(KEY, address.query, now=BEFORE) == FILE_NAME


@pytest.mark.parametrize("length", [0, 1, 31])
def test_a_secret_that_could_be_guessed_signs_nothing(tmp_path: Path, length: int) -> None:
    path = tmp_path / "link-secret"
    path.write_bytes(b"s" * length)
    signer = LinkSigner(lambda: kept_secret(path))
    for use in (
        signer.require_secret,
        lambda: signer.sign(KEY, file_name=FILE_NAME, until=UNTIL),
        lambda: signer.verify(KEY, QUERY, now=BEFORE),
    ):
        with pytest.raises(WeakSecretError, match=f"link-secret: .* this one {length}; remove"):
            use()


def test_the_same_link_is_the_same_bytes() -> None:
    assert SIGNER.sign(KEY, file_name=FILE_NAME, until=UNTIL) == QUERY


@pytest.mark.parametrize(
    ("key", "query"),
    [
        (KEY.replace("t0001", "t0002"), QUERY),
        (KEY.replace("r1", "r2"), QUERY),
        (KEY, altered(file_name="virus.exe")),
        (KEY, altered(expires=str(int(UNTIL.timestamp()) + 86_400))),
        (KEY, altered(expires="never")),
        (KEY, altered(signature="0" * 64)),
        (KEY, altered(signature="")),
        (KEY, altered(signature="署名")),
        (KEY, altered(download="1")),
        (KEY, QUERY + "&" + QUERY),
        (KEY, QUERY.partition("&signature")[0]),
        (KEY, ""),
    ],
)
def test_what_was_altered_does_not_work_even_when_expired(key: str, query: str) -> None:
    for now in (BEFORE, UNTIL):
        with pytest.raises(AlteredLinkError):
            SIGNER.verify(key, query, now=now)


def test_a_link_of_another_secret_does_not_work() -> None:
    with pytest.raises(AlteredLinkError):
        LinkSigner(lambda: b"t" * 32).verify(KEY, QUERY, now=BEFORE)


def test_no_part_can_be_moved_into_another() -> None:
    shifted = SIGNER.sign("a", file_name="b/c", until=UNTIL)
    query = urlencode({**{n: v[0] for n, v in parse_qs(shifted).items()}, "file_name": "c"})
    with pytest.raises(AlteredLinkError):
        SIGNER.verify("a/b", query, now=BEFORE)


def test_a_kept_secret_stays_the_same_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "link-secret"
    secret = kept_secret(path)
    assert len(secret) == 32
    assert kept_secret(path) == secret
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept_secret(tmp_path / "other") != secret


def test_processes_that_ask_at_once_agree(tmp_path: Path) -> None:
    found: list[bytes] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(kept_secret(tmp_path / "link-secret"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
