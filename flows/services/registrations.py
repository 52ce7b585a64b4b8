"""What MLflow is told of a release: its adapter, its report, its figures and parameters. Talks to nobody."""

from flows.wiring import Workspace
from gates.catalogue import CONTRADICTION_GATE
from pipeline.types import Figure, GateReport, Release, Run, Trained
from registry.mlflow.releases import Registration
from registry.projection import MANIFEST_TAG


def registration_of(
    workspace: Workspace, run: Run, release: Release, trained: Trained, report: GateReport
) -> Registration:
    """All that MLflow gets about a release, from the run that made it."""
    manifest = trained.manifest
    training = (
        Figure(name="final_loss", value=trained.final_loss),
        Figure(name="training_steps", value=trained.steps),
        Figure(name="training_tokens", value=trained.tokens),
    )
    return Registration(
        release=release,
        adapter=workspace.folder_of(release.update),
        report=workspace.report_folder(run),
        metrics=(*report.recall, *training, *_contradicted(report)),
        params=(
            ("recipe", manifest.recipe),
            ("seed", str(workspace.ledger.reports.update(release.update).seed)),
            ("rank", str(manifest.rank)),
            ("alpha", str(manifest.alpha)),
            ("parent_release", str(release.parent)),
            ("run", str(run.number)),
            ("kind", run.kind.value),
            ("documents", str(len(run.documents))),
            ("base", manifest.base),
            ("adapter", manifest.adapter),
        ),
        tags=((MANIFEST_TAG, manifest.digest),),
        description=workspace.summary_file(run).read_text(encoding="utf-8"),
    )


def _contradicted(report: GateReport) -> tuple[Figure, ...]:
    """How many known answers the documents contradict, and how many documents do; nothing where none was compared."""
    found = next((one for one in report.results if one.gate == CONTRADICTION_GATE), None)
    figures = found.figures if found else ()
    return tuple(one for one in figures if one.name in ("contradicted", "contradicting_documents"))
