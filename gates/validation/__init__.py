"""Whether the gates themselves can be trusted: how often they flip on nothing, and how often they catch planted damage.

What is planted (`damage`), made into adapters (`planting`), judged again on other draws of items (`resampling`), and
counted (`rates`). Knows no ledger.
"""
