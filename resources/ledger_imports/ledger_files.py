"""What every file format shares: how text becomes dates, amounts and names, and how faults are
reported, all of them with file, line and reason."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from reports_pipeline.accounting.money import minor_unit_exponent, to_minor_units

_MOST_SHOWN = 20

# Anything else is a typing error; each month would become a partition of its own.
_FIRST_DAY = datetime.date(1970, 1, 1)
_LAST_DAY = datetime.date(2099, 12, 31)
# Leaves room for the sum of a ledger's lines in 64 bits.
_LARGEST_AMOUNT = 10**15

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Commas group thousands. A point is a decimal mark whatever follows it, so that 1.000 is never
# taken for a thousand.
_AMOUNT = re.compile(r"-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]*))?")
# Line ends, other control characters, and the marks that make a text read in another order than
# it is stored.
_BAD_CHARACTER = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """Why a file is refused; lines count from 1, and 0 is the file as a whole."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class LedgerFileError(Exception):
    """A file cannot be imported; nothing of it was."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = sorted(problems)
        shown = [str(problem) for problem in self.problems[:_MOST_SHOWN]]
        if len(self.problems) > _MOST_SHOWN:
            shown.append(f"… and {len(self.problems) - _MOST_SHOWN} more")
        super().__init__("\n".join(shown))


class Problems:
    """Collects what is wrong, so that a file is mended once and not twenty times."""

    def __init__(self) -> None:
        self._problems: set[Problem] = set()

    def add(self, file: str, line: int, reason: str) -> None:
        self._problems.add(Problem(file, line, reason))

    def raise_if_any(self) -> None:
        """
        Raises:
            LedgerFileError: something was added.
        """
        if self._problems:
            raise LedgerFileError(self._problems)


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A record of a CSV file and the line on which it begins."""

    file: str
    line: int
    fields: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.fields.get(column, "")


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, its byte order mark removed.

    Raises:
        LedgerFileError: there is no such file, or it is in another encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LedgerFileError([Problem(path.name, 0, error.strerror or str(error))]) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: byte 0x{content[error.start]:02x}; save the file as UTF-8"
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            reason = "UTF-16; save the file as UTF-8"
        line = content[: error.start].count(b"\n") + 1
        raise LedgerFileError([Problem(path.name, line, reason)]) from error


def read_csv(
    path: Path,
    problems: Problems,
    *,
    required: Collection[str],
    optional: Collection[str] = (),
    multiline: Collection[str] = (),
) -> Iterator[CsvRow]:
    """The records of a CSV file whose first line names its columns.

    Records that are no records (too few fields, control characters outside the `multiline`
    columns) are added to the problems and left out. A column that is neither required nor
    optional is a problem, since a misspelt one would be lost without a word.

    Raises:
        LedgerFileError: the file cannot be read, or lacks a column.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise LedgerFileError([Problem(path.name, 1, f"not CSV: {error}")]) from error
    faults = [f"the column {column} is missing" for column in required if column not in header]
    faults += [
        f"there is no column {column!r} in this format"
        for column in header
        if column not in required and column not in optional
    ]
    faults += [f"two columns {column}" for column in set(header) if header.count(column) > 1]
    if faults:
        raise LedgerFileError([Problem(path.name, 1, fault) for fault in faults])
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise LedgerFileError([Problem(path.name, line, f"not CSV: {error}")]) from error
        if not values:
            continue
        if len(values) != len(header):
            problems.add(path.name, line, f"{len(values)} fields, but {len(header)} columns")
            continue
        fields = dict(zip(header, values, strict=True))
        bad = [
            f"{column}: {reason}"
            for column, value in fields.items()
            if column not in multiline and (reason := text_fault(value))
        ]
        for reason in bad:
            problems.add(path.name, line, reason)
        if not bad:
            yield CsvRow(path.name, line, fields)


def text_fault(text: str) -> str | None:
    """What keeps a text from being printed, or None."""
    bad = _BAD_CHARACTER.search(text)
    return f"control character U+{ord(bad[0]):04X}" if bad else None


def parse_day(text: str) -> datetime.date:
    """A date written YYYY-MM-DD.

    Raises:
        ValueError: it is none, or not in a year that a ledger can be of.
    """
    if not _DAY.fullmatch(text):
        raise ValueError(f"not a date (YYYY-MM-DD): {text!r}")
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"no such day: {text}") from None
    check_day(day)
    return day


def check_day(day: datetime.date) -> None:
    """
    Raises:
        ValueError: the day is not in a year that a ledger can be of.
    """
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise ValueError(f"{day} is not between {_FIRST_DAY} and {_LAST_DAY}")


def parse_amount(text: str, currency: str) -> int:
    """An amount in minor units; its text is in the main unit, such as 1234, -12.50 or 1,234.50.

    Raises:
        ValueError: it is no amount, or has more decimals than the currency.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"not an amount (such as 1234 or 1,234.50): {text!r}")
    if len(match[1] or "") > minor_unit_exponent(currency):
        raise ValueError(f"{text} has more decimals than {currency}")
    minor = to_minor_units(Decimal(text.replace(",", "")), currency)
    check_amount(minor)
    return minor


def check_amount(minor: int) -> None:
    """
    Raises:
        ValueError: sums of such amounts would overflow.
    """
    if abs(minor) > _LARGEST_AMOUNT:
        raise ValueError("the amount is too large")
