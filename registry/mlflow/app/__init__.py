"""MLflow's server with our rules of review: `mlflow server --app-name sealed`.

MLflow's own sign-in proves who asks. Then a guard decides about each request that would change the registry.
"""
