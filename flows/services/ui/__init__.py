"""What `sealed ui` starts on one machine: MLflow for review, Prefect for the schedule, the gateway for clients."""
