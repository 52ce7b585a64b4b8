"""Draws what benchmarks measured as PNG files, from their JSON alone."""

import json
from pathlib import Path
from typing import Any

SHOWN = (
    ("base_knowledge", "base knowledge, unrehearsed"),
    ("skills", "skills"),
    ("reading", "reading"),
    ("writing", "writing"),
)
_IN_ROUND, _TAUGHT = "facts: mean reward in ReST-EM round ", "facts: one self-edit "


def draw_lives(matrices: Path, out: Path) -> None:
    """Each arm's retention matrix as a heat-map, and below it what else it still knows, by run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lives: dict[str, list[dict[str, Any]]] = json.loads(matrices.read_text(encoding="utf-8"))
    figure, axes = pyplot.subplots(
        2, len(lives), figsize=(5.6 * len(lives), 8.4), squeeze=False, constrained_layout=True
    )
    for (arm, life), (above, below) in zip(lives.items(), axes.T, strict=True):
        looked = [run for run in life if run["run"] and "base_knowledge" in run]
        count = life[-1]["run"]
        cells = [[run["recall"][at] if at < run["run"] else None for run in looked] for at in range(count)]
        shares = [[float("nan") if cell is None else 100 * cell for cell in row] for row in cells]
        image = above.imshow(shares, vmin=0, vmax=100, cmap="viridis", aspect="auto", origin="lower")
        above.set_title(arm)
        above.set_xticks(range(len(looked)), [str(run["run"]) for run in looked])
        above.set_yticks(range(0, count, max(1, count // 6)), range(1, count + 1, max(1, count // 6)))
        above.set_xlabel("after run")
        above.set_ylabel("test of run")
        figure.colorbar(image, ax=above, label="answered right, %")
        for kind, label in SHOWN:
            runs = [run for run in life if kind in run]
            below.plot([run["run"] for run in runs], [100 * run[kind] for run in runs], "o-", label=label)
        below.set_xlabel("after run")
        below.set_ylabel("right, %")
        below.set_ylim(0, 103)
        below.grid(alpha=0.3)
        below.legend(loc="lower left")
    figure.savefig(out, dpi=80)
    pyplot.close(figure)


def draw_writer_training(results: Path, out: Path) -> None:
    """What notes were worth by GRPO's step and ReST-EM's round, and what one self-edit teaches of unseen documents."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    measured = {figure["name"]: figure["value"] for figure in json.loads(results.read_text())["figures"]}
    figure, (rewards, recall) = pyplot.subplots(1, 2, figsize=(10.4, 4.2), constrained_layout=True)
    for method, start in (("GRPO, by step", "GRPO: mean reward at step "), ("ReST-EM, by round", _IN_ROUND)):
        values = [value for name, value in measured.items() if name.startswith(start)]
        rewards.plot(range(1, len(values) + 1), values, "o-", label=method)
    rewards.set_xlabel("step or round")
    rewards.set_ylabel("mean reward of a note")
    rewards.set_ylim(bottom=0)
    rewards.grid(alpha=0.3)
    rewards.legend(loc="lower right")
    shares = {
        name.removeprefix(_TAUGHT): 100 * value
        for name, value in measured.items()
        if name.startswith(_TAUGHT) and "over the base" not in name and "McNemar" not in name
    }
    recall.barh(list(shares), list(shares.values()), color="#0072b2")
    recall.invert_yaxis()
    recall.set_xlabel("answered right after one self-edit, unseen documents, %")
    figure.savefig(out, dpi=80)
    pyplot.close(figure)


def draw_canaries(curves: Path, out: Path) -> None:
    """Share of rollouts that are rolled back, and that have all requests, by the canary's graded answers; by mix."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    document: dict[str, Any] = json.loads(curves.read_text(encoding="utf-8"))
    shares = [100 * share for share in document["shares"]]
    shown = {name: cell for name, cell in document["cells"].items() if ", 2 % failures" in name}
    mixes = list(dict.fromkeys(name.split(",")[0] for name in shown))
    figure, axes = pyplot.subplots(1, len(mixes), figsize=(5.2 * len(mixes), 4.4), sharey=True, constrained_layout=True)
    for mix, panel in zip(mixes, axes, strict=True):
        for name, cell in shown.items():
            if not name.startswith(f"{mix},"):
                continue
            more = name.partition(" and ")[2].removesuffix(" more")
            label = f"rolled back: {more} percentage points worse" if more else "has all requests: as good"
            panel.plot(cell["rolled_back" if more else "at_all"], shares, "-" if more else "k--", label=label)
        panel.set_xscale("log")
        panel.set_xlim(10, 20_000)
        panel.axvline(300, color="0.7", linewidth=1)
        panel.set_title(f"{mix}; the stable release fails 2 %")
        panel.set_xlabel("graded answers of the canary")
        panel.grid(alpha=0.3)
    axes[0].set_ylabel("rollouts, %")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(out, dpi=80)
    pyplot.close(figure)


def draw_tokens(results: Path, out: Path) -> None:
    """Recall with its interval, and the perplexity of other text, by the tokens that a run was trained on."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figures = json.loads(results.read_text(encoding="utf-8"))["figures"]
    found = {figure["name"]: figure for figure in figures}
    points = [name.partition(": ")[2] for name in found if name.startswith("tokens trained: ")]
    tokens = [found[f"tokens trained: {point}"]["value"] / 1000 for point in points]
    recall = [found[f"recall: {point}"] for point in points]
    shares = [100 * one["value"] for one in recall]
    figure, (above, beside) = pyplot.subplots(1, 2, figsize=(10.4, 4.2), constrained_layout=True)
    above.plot(tokens, shares, "o-")
    above.fill_between(tokens, *([100 * one["interval"][end] for one in recall] for end in (0, 1)), alpha=0.2)
    above.set_ylabel("questions answered closed-book, %")
    beside.plot(tokens, [found[f"perplexity of plain text over the base: {point}"]["value"] for point in points], "o-")
    beside.set_ylabel("perplexity of other passages over the base, %")
    for axes in (above, beside):
        axes.set_xlabel("thousand tokens trained")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.savefig(out, dpi=80)
    pyplot.close(figure)
