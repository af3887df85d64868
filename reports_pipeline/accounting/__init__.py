"""Pure accounting: periods, accounts, balances, statements as data and the identities they obey."""
