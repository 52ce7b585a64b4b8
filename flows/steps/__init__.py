"""What the tasks of a flow do, as plain functions of the run's context. Knows no scheduler and no terminal."""
