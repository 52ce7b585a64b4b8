"""Makes a passing candidate a release: intent in the ledger, version in MLflow, then the record; then it waits."""

from typing import TYPE_CHECKING

from flows.outcome import Ended, NightOutcome
from flows.run_context import Shift
from flows.steps.reports import REPORT, SUMMARY, report_folder
from flows.steps.timing import timed
from gates.evidence import exam_probes
from pipeline.errors import CorruptAdapter, ProgrammingMistake
from pipeline.types import Figure, GateReport, IntakeCounts, Night, Release, Trained
from registry.servers.local import retain
from registry.store import documents, releases, reports, runs

if TYPE_CHECKING:
    from registry.mlflow_releases import Registration


def lost(shift: Shift, night: Night) -> str | None:
    """What a night that was killed while registering lacks on disk to go on, in words; None: it has all it needs."""
    from pipeline.training.lora import trained_adapter

    if night.release is None or not night.update:
        return None
    house = shift.house
    if trained_adapter(house.identity, night.update, house.folder_of(night.update)) is None:
        return "its adapter was gone or damaged when this night was resumed"
    if not all((report_folder(house, night) / name).is_file() for name in (REPORT, SUMMARY)):
        return "its report was gone when this night was resumed"
    return None


def recall_candidate(shift: Shift, night: Night) -> tuple[Trained, GateReport]:
    """What a night had trained and judged before it was killed while registering. Raises CorruptAdapter."""
    from pipeline.training.lora import trained_adapter

    house = shift.house
    if not night.update or not night.report:
        raise ProgrammingMistake(f"night {night.number} registers a release without update or report. Report it.")
    trained = trained_adapter(house.identity, night.update, house.folder_of(night.update))
    if trained is None:
        raise CorruptAdapter(
            f"the adapter of night {night.number} is gone or damaged. Run `sealed update` again: "
            "the night then begins anew."
        )
    return trained, reports.get(house.store, night.report)


def register_candidate(shift: Shift, night: Night, trained: Trained, report: GateReport) -> Release:
    """Registers the candidate: killed at any point and run again, it ends with exactly one MLflow version."""
    from registry.mlflow_releases import register

    house = shift.house
    with timed(shift, night, "registry"):
        intended = runs.intend_release(house.store, shift.lease, night.number, trained.manifest)
        version = register(house.tracking, _registration(shift, night, intended, trained, report))
        recorded = runs.record_release(house.store, shift.lease, night.number, version)
    drop_unneeded_adapters(shift)
    return recorded


def await_review(shift: Shift, night: Night, release: Release, report: GateReport, taken: IntakeCounts) -> NightOutcome:
    """The night ends here; the candidate's row waits for a person, no process does."""
    from registry.deploy import reconcile

    house = shift.house
    reconcile(house.store, house.tracking, (house.server,))
    learned = documents.of(house.store, night.documents)
    return NightOutcome(
        ended=Ended.WAITING,
        sentence=f"release {release.number} passed its gates and waits for review: "
        f"`sealed show {release.number}`, then `sealed approve {release.number}`",
        night=night.number,
        release=release.number,
        documents=len(learned),
        probes=len(exam_probes(learned)),
        refused_documents=taken.refused,
        mended_documents=taken.mended,
        verdict=report.verdict,
        figures=report.recall,
        seconds=runs.get(house.store, night.number).seconds,
    )


def _registration(shift: Shift, night: Night, release: Release, trained: Trained, report: GateReport) -> "Registration":
    from registry.mlflow_releases import Registration

    house = shift.house
    folder = report_folder(house, night)
    manifest = trained.manifest
    training = (
        Figure(name="final_loss", value=trained.final_loss),
        Figure(name="training_steps", value=trained.steps),
        Figure(name="training_tokens", value=trained.tokens),
    )
    return Registration(
        release=release,
        adapter=house.folder_of(release.update),
        report=folder,
        metrics=(*report.recall, *training),
        params=(
            ("recipe", manifest.recipe),
            ("seed", str(shift.recipe.seed)),
            ("rank", str(manifest.rank)),
            ("alpha", str(manifest.alpha)),
            ("parent_release", str(release.parent)),
            ("night", str(night.number)),
            ("kind", night.kind.value),
            ("documents", str(len(night.documents))),
        ),
        tags=(("base", manifest.base), ("adapter", manifest.adapter), ("manifest", manifest.digest)),
        description=(folder / SUMMARY).read_text(encoding="utf-8"),
    )


def drop_unneeded_adapters(shift: Shift) -> None:
    """Deletes local adapters that no live, waiting or recent release needs; MLflow keeps every registered one."""
    house = shift.house
    retain(house.settings.adapters, {release.update for release in releases.needed(house.store)})
