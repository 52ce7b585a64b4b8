"""The poison study: campaigns of bad documents among honest ones, each through a whole nightly run."""
