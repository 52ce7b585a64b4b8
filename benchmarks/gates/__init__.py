"""What the gates are worth, in figures: `python -m benchmarks.gates [PART ...]`."""
