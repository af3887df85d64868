"""Money is an integer of minor units; a currency says how many decimals they are."""

from __future__ import annotations

from decimal import Decimal

# ISO 4217: currencies whose minor unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(
        ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
         "VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}  # fmt: skip


def minor_unit_exponent(currency: str) -> int:
    """Decimals of a currency (ISO 4217): 0 for JPY, 2 for USD, 3 for KWD."""
    return _EXPONENTS.get(currency, 2)


def to_minor_units(amount: Decimal, currency: str) -> int:
    """An exact amount in minor units.

    Raises:
        ValueError: the amount has more decimals than its currency.
    """
    minor = amount.scaleb(minor_unit_exponent(currency))
    if minor != minor.to_integral_value():
        raise ValueError(f"{amount} has more decimals than {currency} allows")
    return int(minor)


def from_minor_units(minor: int, currency: str) -> Decimal:
    """The amount in the currency's main unit, exact."""
    return Decimal(minor).scaleb(-minor_unit_exponent(currency))
