"""Formats that are shown as pages, HTML and PDF: what a reader sees of them, read in a process of limited powers."""
