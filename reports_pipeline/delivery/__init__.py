"""Pure delivery: what a mail says, and which state may follow which."""
