"""`python -m flows.cli`: the command line, by whichever interpreter runs it."""

from flows.cli import main

main()
