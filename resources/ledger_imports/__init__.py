"""Ledgers from files: what other systems write, checked whole and loaded whole or not at all."""
