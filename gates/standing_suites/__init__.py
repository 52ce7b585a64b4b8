"""Suites that a base model makes of itself, without anybody's data: what it knows, reads, declines and writes.

What it does not do surely now is left out: a gate shows what is lost.
"""

from gates.standing_suites.asking import KeptEngine
from gates.standing_suites.building import Built, BuiltSuite, SuiteBuilder, build_suites

__all__ = ["Built", "BuiltSuite", "KeptEngine", "SuiteBuilder", "build_suites"]
