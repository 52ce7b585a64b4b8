"""What may be loaded when the ledger is: `sealed status` must not wait for anything heavy."""

import subprocess
import sys


def test_the_ledger_loads_without_alembic_mlflow_torch_or_prefect() -> None:
    code = (
        "import sys, registry; "
        "print([name for name in ('alembic', 'mlflow', 'torch', 'prefect', 'lm_eval') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
