"""Rates for tests that do not wait."""

from resources.send_rate import SendRate


class AtOnce(SendRate):
    def wait(self) -> None:
        pass
