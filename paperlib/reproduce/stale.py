"""Stale runs: trained with other mathematics, data or settings than a run of that name has today. They are shown, and kept on request."""

import re
from pathlib import Path

from paperlib import PaperlibError
from paperlib.data.files import files_sha256
from paperlib.reproduce.runs import identity_of, is_cached, lock, mathematics_sha256, progress_of, read_record
from paperlib.reproduce.study import Study
from paperlib.writing import make_folder, write_whole


def stale(study: Study, name: str) -> list[dict]:
    """Folders of run `name` under another identity than today's: folder, finished, steps, and what has changed since.

    That is of "settings", "mathematics" and "data" (or the run that it goes on from); of a training that was not finished it is not known.
    Raises NotMeasured where the run's data are absent.
    """
    now, found = study.folder_of(name), []
    stem = now.name[: -len("0123456789abcdef")]
    for folder in sorted(now.parent.glob(f"{stem}*")):
        if folder == now or not re.fullmatch(r"[0-9a-f]{16}", folder.name.removeprefix(stem)):
            continue
        record = read_record(folder) if is_cached(folder) else {}
        changed = _changed(study, name, folder, record) if record else []
        found.append({"folder": folder.name, "finished": record.get("finished", ""), "steps": progress_of(folder), "changed": changed})
    return found


def _changed(study: Study, name: str, folder: Path, record: dict) -> list[str]:
    """What of a record's spec, mathematics and data is not today's. The first two are in the record, the data in the folder's identity alone."""
    run, mathematics = study.runs[name], record.get("mathematics_sha256", "")
    data = files_sha256(study.training_people(run))
    starts = {""}
    if run.start:
        home = study.folder_of(run.start.name)
        starts = {home.name} | ({read_record(home)["identity"]} if is_cached(home) else set())  # a kept run has an identity of its own
    seen = {identity_of(record["spec"], data + start, mathematics) for start in starts}
    changed = {
        "settings": record["spec"] != run.spec(),
        "mathematics": mathematics != mathematics_sha256(),
        "data": folder.name[-16:] not in seen,
    }
    return [what for what, is_so in changed.items() if is_so]


def describe(name: str, row: dict) -> str:
    """A stale folder in one line, and what can be done."""
    if not row["changed"]:
        return f"stale: {row['folder']} stopped at step {row['steps']} of another version of {name} and is not gone on with"
    way = f"; paperlib train {name} --keep {row['folder']} takes it all the same" if row["changed"] == ["mathematics"] else ""
    return f"stale: {row['folder']}, finished {row['finished'][:10]}; changed since: {', '.join(row['changed'])}{way}"


def keep(study: Study, name: str, folder: str) -> Path:
    """Take a run of older mathematics for today's; returns where it is now looked for.

    Weights, log and record are copied there. The record, and so every artifact's provenance, goes on naming the old identity.
    Raises PaperlibError for a folder that is none of the run's, saw other data or had other settings, and where the run is trained already.
    """
    now, rows = study.folder_of(name), {row["folder"]: row for row in stale(study, name)}
    row = rows.get(Path(folder).name)
    if row is None:
        raise PaperlibError(f"--keep {folder}: not a stale run of {name}; there are: {', '.join(rows) or 'none'}")
    if row["changed"] != ["mathematics"]:
        what = f"its {' and '.join(row['changed'])} changed too" if row["changed"] else "it was not finished"
        raise PaperlibError(f"--keep {folder}: only a run whose mathematics alone is older can be kept, and {what}; train {name} anew without --keep")
    make_folder(now)
    with lock(now, name):
        if is_cached(now):
            raise PaperlibError(f"{now}: {name} is trained already; delete it to keep {row['folder']} instead")
        for file in ("log.csv", "weights.safetensors", "record.json"):  # the record last: without it nothing is cached
            write_whole(now / file, (now.parent / row["folder"] / file).read_bytes())
        (now / "checkpoint.pt").unlink(missing_ok=True)
    return now
