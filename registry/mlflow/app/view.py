"""What the ledger says, as far as the guard's decisions need it: one value. Knows no database."""

from dataclasses import dataclass

from pipeline.types import Deployment, Release, ReviewDecision
from registry.projection import Concluded


@dataclass(frozen=True, kw_only=True)
class LedgerView:
    """The ledger at one moment. `history` is that of production, oldest first; `unused` decisions wait for adoption."""

    model: str
    releases: tuple[Release, ...]
    history: tuple[Deployment, ...]
    unused: tuple[ReviewDecision, ...] = ()
    concluded: Concluded = ()

    @property
    def newest(self) -> Deployment:
        return self.history[-1]

    def release_of(self, version: str) -> Release | None:
        """The release that MLflow shows as this version, if the ledger knows one."""
        return next((one for one in self.releases if version and one.mlflow_version == version), None)
