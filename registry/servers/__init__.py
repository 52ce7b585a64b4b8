"""What serves releases: a base model with several adapters at hand, each verified, proved to be applied, and drained.

Each name is imported from its module: only `registry.servers.local` loads torch.
"""
