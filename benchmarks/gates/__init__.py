"""What the gates can be trusted with, measured."""
