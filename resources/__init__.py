"""Adapters to the outside world: a role as an abstract class, a technology as its prefix."""
