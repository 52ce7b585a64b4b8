"""The only reader and writer of the ledger's database: nouns in and out, one room per noun. Decides nothing."""

from registry.store.database import Store, create_store, open_store

__all__ = ["Store", "create_store", "open_store"]
