"""The reference runs: one command does the next item of the queue within so many minutes and packs what must come back.

    python -m paperlib.reproduce.reference next --minutes 9 --out OUT      where the GPU is
    python -m paperlib.reproduce.reference unpack OUT                      where the repository is: runs/, results/reference.json, REFERENCE.md
    python -m paperlib.reproduce.reference pack-data PARTS                 the data folder, in parts
    python -m paperlib.reproduce.reference join-data PARTS DATA            the same on the other side; PAPERLIB_DATA=DATA

Called again, whatever was interrupted goes on from its last checkpoint. results/REFERENCE.md says what to type.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from paperlib import PaperlibError
from paperlib.data.portable import write_portable
from paperlib.reproduce import parcels
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.reference_queue import is_done, read_queue, read_state, write_state, write_table
from paperlib.reproduce.reference_work import put_in_place, work

RESERVE = 0.1  # of the minutes, for measuring and packing after the training has stopped
app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

Results = Annotated[Path | None, typer.Option(help="the folder of reference.toml, reference.json and REFERENCE.md; PAPERLIB_RESULTS, else results")]


@app.command("next")
def next_item(
    out: Annotated[Path, typer.Option(help="what must come back is put here")],
    minutes: Annotated[float, typer.Option(min=0, help="of the whole command; 0: only pack what is finished")] = 9,
    item: Annotated[str, typer.Option(help="an item's id; else the first that is not done")] = "",
    checkpoint: Annotated[bool, typer.Option(help="pack the unfinished run's checkpoint too: the machine will not be there next time")] = False,
    from_part: Annotated[int, typer.Option(min=1, help="of the last parcel, deliver the parts from this one on, and do nothing else")] = 1,
    device: str = "auto",
    results: Results = None,
) -> None:
    """Work on the next item until the minutes are over, and pack."""
    started, folders = time.monotonic(), Folders.here()
    parcel = folders.runs / "parcel"
    if from_part == 1:
        home = results or folders.results
        queue, state = read_queue(home / "reference.toml"), read_state(home / "reference.json")
        todo = [one for one in queue if one.id == item or not item and not is_done(one, state)]
        if not todo:
            raise PaperlibError(f"item {item!r}: it is one of {', '.join(one.id for one in queue)}" if item else "the queue is empty: all is done")
        files = work(todo, state, folders, device, started + 60 * minutes * (1 - RESERVE) if minutes else 0, checkpoint)
        if not files:
            print("nothing to bring back")
            return
        parcels.pack(files, parcel)
    more = parcels.deliver(parcel, out, from_part)
    whole = parcels.read_manifest(parcel)
    print(f"parcel {whole['id']}: {len(whole['files'])} files, {whole['bytes'] / 1e6:.1f} MB in {len(whole['parts'])} parts")
    if more:
        print(f"not all of it fits: bring this home, then call again with --from-part {more}")


@app.command()
def unpack(parcel: Path, results: Results = None) -> None:
    """Put a parcel that came back into runs/, and what it says into reference.json and REFERENCE.md."""
    folders = Folders.here()
    home = results or folders.results
    queue, state = read_queue(home / "reference.toml"), read_state(home / "reference.json")
    waiting, missing = parcels.collect(parcel, folders.runs / "arriving")
    if missing:
        print(f"{len(missing)} parts are still missing, the first is {missing[0]}; what came is kept in {waiting}")
        return
    arrived = waiting / "files"
    shutil.rmtree(arrived, ignore_errors=True)
    parcels.unpack(waiting, arrived)
    news = json.loads((arrived / "news.json").read_text())
    print("\n".join(put_in_place(arrived, folders.runs)))
    write_state(home / "reference.json", {kind: state[kind] | news[kind] for kind in news})
    write_table(home / "REFERENCE.md", queue, read_state(home / "reference.json"))
    shutil.rmtree(waiting)


@app.command("pack-data")
def pack_data(
    folder: Path,
    part_mb: Annotated[float, typer.Option(min=1, help="10^6 bytes")] = 50,
    side: Annotated[int, typer.Option(min=0, help="cut images down to their people for an input of so many px; 0: leave them as they are")] = 0,
    only: Annotated[str, typer.Option(help="folders in it, such as lsp,lspet; else all")] = "",
    data: Annotated[Path | None, typer.Option(help="another folder than PAPERLIB_DATA")] = None,
) -> None:
    """The data folder (PAPERLIB_DATA), or what is in another, as a parcel."""
    data = data or Folders.here().data
    if side:
        data = write_portable(data, folder.with_name(f"{folder.name}.data"), side)
    homes = [data / name.strip() for name in only.split(",") if name.strip()] or [data]
    if absent := [home for home in homes if not home.is_dir()]:
        raise PaperlibError(f"{absent[0]}: no such folder; name folders of {data}")
    files = {path.relative_to(data).as_posix(): path for home in homes for path in home.rglob("*") if path.is_file()}
    whole = parcels.read_manifest(parcels.pack(files, folder, part_mb).parent)
    print(f"{folder}: {len(whole['files'])} files, {whole['bytes'] / 1e6:.1f} MB in {len(whole['parts'])} parts")


@app.command("join-data")
def join_data(parts: Path, data: Path) -> None:
    """Take the parts that are here; once all have come, write the data folder."""
    waiting, missing = parcels.collect(parts, data.with_name(f"{data.name}.arriving"))
    if missing:
        print(f"{len(missing)} parts are still missing: {', '.join(missing)}")
        return
    print(f"{data}: {len(parcels.unpack(waiting, data))} files")
    shutil.rmtree(waiting.parent)


@app.command("table")
def show(results: Results = None) -> None:
    """Write the queue's table into REFERENCE.md."""
    home = results or Folders.here().results
    write_table(home / "REFERENCE.md", read_queue(home / "reference.toml"), read_state(home / "reference.json"))


if __name__ == "__main__":
    try:
        app(standalone_mode=True)
    except PaperlibError as error:
        sys.exit(f"paperlib: {error}")
