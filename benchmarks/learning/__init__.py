"""What a run of learning teaches, and what it erases, part by part: `python -m benchmarks.learning [PART ...]`."""
