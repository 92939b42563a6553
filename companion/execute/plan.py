"""paperlib plan: what would run, what is cached, and the time, disk and memory it will need."""

from companion.execute.pace import measure
from companion.runs.cost import cost_of, memory
from companion.runs.notebook_index import ORDER, runs_of
from companion.runs.study import Study
from companion.runs.train_or_load import progress_of


def plan(study: Study) -> list[dict]:
    """One row a run: run, start (the run that it goes on from, or ''), artifacts, notebooks (that
    need it), missing, folder, cached, seconds (that its training will still take), disk_mb,
    memory_mb. Nothing is trained, but a few steps of each kind of network are timed; people are
    drawn on first use."""
    rows, needed = [], {notebook: runs_of(notebook, study.runs) for notebook in ORDER}
    for name, run in study.runs.items():
        missing = study.missing(name)
        folder = None if missing else study.folder_of(name)
        rows.append(
            {
                "run": name,
                "start": run.start.name if run.start else "",
                "artifacts": list(run.artifacts),
                "notebooks": [notebook for notebook, runs in needed.items() if name in runs],
                "missing": missing,
                "folder": folder,
                "cached": bool(folder and study.found(name)),
                "disk_mb": 4 * cost_of(run).weights_mb,
                "memory_mb": memory(run, study.precision),
            }
        )
    left = [row["run"] for row in rows if not row["cached"] and not row["missing"]]
    ahead = seconds_ahead(study, left)
    return [row | {"seconds": ahead.get(row["run"], 0.0)} for row in rows]


def seconds_ahead(study: Study, names: list[str]) -> dict[str, float]:
    """What the trainings of these runs will still take, one process each, as steps timed now
    say."""
    paces = measure([study.runs[name] for name in names], study.device, study.precision)
    seconds = {}
    for name in names:
        run = study.runs[name]
        left = 1 - progress_of(study.folder_of(name)) / run.recipe.steps
        seconds[name] = left * paces[run.network.kind].seconds(run)
    return seconds


def in_words(rows: list[dict], device: str, jobs: int) -> list[str]:
    """A line a run of `plan`, and one for what is left to train with `jobs` processes."""
    lines = []
    for row in rows:
        state = row["missing"] or ("cached" if row["cached"] else f"{row['seconds']:.0f} s")
        need = f"{row['disk_mb']:6.0f} MB disk {row['memory_mb']:7.0f} MB memory"
        lines.append(f"{row['run']:30} {state:24} {need}  {' '.join(row['artifacts'])}")
    left = [row for row in rows if not row["cached"] and not row["missing"]]
    minutes = sum(row["seconds"] for row in left) / 60 / jobs
    return [*lines, f"{minutes:.1f} minutes of training left on {device}, {jobs} at a time"]
