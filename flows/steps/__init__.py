"""What the flows and the command line do, step by step, as plain functions. Knows no scheduler and no terminal."""
