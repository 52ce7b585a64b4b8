"""The only reader and writer of the ledger's database: nouns in and out, one file a subject."""
