"""The only reader and writer of the ledger's database: nouns in and out, one room per noun. Decides nothing."""

from registry.store.database import Store, open_store

__all__ = ["Store", "open_store"]
