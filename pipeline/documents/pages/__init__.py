"""Formats that are shown as pages, HTML and PDF: what a reader sees of them is read in a process that may do nothing."""
