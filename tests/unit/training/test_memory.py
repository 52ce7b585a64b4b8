"""What training takes of the machine's memory, and gives back."""

import sys

import psutil
import pytest

from pipeline.training import memory


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' C libraries give memory back by themselves")
def test_freed_memory_goes_back_to_the_system_though_what_was_taken_after_it_is_still_used() -> None:
    taken = [bytearray(1 << 16) for _ in range(4_000)]  # a quarter of a gigabyte, in pieces that lie in one heap
    last = bytearray(1 << 16)
    del taken
    before = psutil.Process().memory_info().rss
    memory.give_back()
    assert before - psutil.Process().memory_info().rss > 100 * 2**20
    assert len(last) == 1 << 16
