"""What a user would run instead of ours, each with its best settings: measured beside ours, never imported by it."""
