"""What people ask of a workspace outside a run, as plain functions: the verbs of the command line call nothing else."""
