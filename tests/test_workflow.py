"""The catalogue as jobs of Snakemake: on this machine and on a real Slurm."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from companion.runs.notebook_index import ORDER

ROOT = Path(__file__).parents[1]
PROFILES = sorted(path.name for path in (ROOT / "workflow/profiles").iterdir())
SNAKEMAKE = shutil.which("snakemake")
FINETUNED = "recurrent-t2-parts-finetuned"
needs_snakemake = pytest.mark.skipif(
    not SNAKEMAKE, reason="needs snakemake on the path (workflow/README.md)"
)


@pytest.fixture(scope="session")
def asked_for(request):
    if not {"workflow", "slurm"} & set(request.config.getoption("markexpr").split()):
        pytest.skip("takes minutes: only with -m workflow or -m slurm")


class Workplace:
    """A folder from which the workflow is called, with runs and results of its own."""

    def __init__(self, home, **environment):
        home.mkdir(parents=True, exist_ok=True)
        (home / "workflow").symlink_to(ROOT / "workflow")
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.home, self.runs, self.results = home, home / "runs", home / "results"
        self.environment = (
            os.environ
            | {"PAPERLIB_RUNS": str(self.runs), "PAPERLIB_RESULTS": str(self.results), "PATH": path}
            | environment
        )

    def start(self, profile, *words, size="tiny", minutes=0, device="cpu", devices=1):
        command = [SNAKEMAKE, *map(str, words), "--profile", f"workflow/profiles/{profile}"]
        command += [
            "--config",
            f"size={size}",
            f"minutes={minutes}",
            f"device={device}",
            f"devices={devices}",
        ]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(
            command, cwd=self.home, env=self.environment, start_new_session=True, **streams
        )

    def snakemake(self, *words, timeout=1800, **settings):
        """Returns what it printed. Fails where it does."""
        process = self.start(*words, **settings)
        said = process.communicate(timeout=timeout)[0]
        assert process.returncode == 0, said
        return said

    def paperlib(self, *words):
        return subprocess.run(
            ["paperlib", *words],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
        )

    def folder(self, run, size="tiny"):
        rows = json.loads(self.paperlib("plan", "--json", "--device", "cpu", "--size", size).stdout)
        return Path(next(row["folder"] for row in rows if row["run"] == run))

    def records(self, size="tiny"):
        """Run folder -> weights_sha256, of what is trained."""
        return {
            path.parent.name: json.loads(path.read_text())["weights_sha256"]
            for path in (self.runs / f"synthetic-{size}").glob("*/record.json")
        }


@pytest.fixture(scope="module")
def reproduced(asked_for, tmp_path_factory):
    """The whole tiny catalogue without Snakemake."""
    place = Workplace(tmp_path_factory.mktemp("reproduced"))
    done = place.paperlib("reproduce", "--size", "tiny", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def finetuned(asked_for, tmp_path_factory):
    """The records of one run and of the run that it goes on from, trained without Snakemake."""
    place = Workplace(tmp_path_factory.mktemp("finetuned"))
    done = place.paperlib("train", FINETUNED, "--size", "tiny", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    return place.records()


# ---------------------------------------------------------------- what needs no Snakemake


def test_the_snakefile_names_no_run_and_no_notebook(tiny):
    text = (ROOT / "workflow/Snakefile").read_text()
    assert not [name for name in (*tiny.runs, *ORDER) if name in text]


def test_the_environment_is_pinned():
    environment = yaml.safe_load((ROOT / "workflow/environment.yml").read_text())
    (pip,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    pins = {
        line.split("==")[0]
        for line in (ROOT / "workflow/constraints.txt").read_text().splitlines()
        if "==" in line
    }
    assert pip[0] == "-c constraints.txt" and set(pip[1:]) <= pins


# ---------------------------------------------------------------- what does


@needs_snakemake
@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_plans_one_job_a_run_and_one_a_notebook(profile, tmp_path):
    """The start-run of a run is what its job waits for. A GPU is asked for where the device is one,
    here on a machine that may have none."""
    place = Workplace(tmp_path / "place")
    said = place.snakemake(profile, "-n", "--printshellcmds", minutes=110, device="cuda", devices=2)
    rows = json.loads(place.paperlib("plan", "--json", "--device", "cpu", "--size", "tiny").stdout)
    jobs = {
        re.search(r"run=([\w-]+),", job)[1]: job
        for job in re.split(r"\nrule ", said)
        if job.startswith("train:")
    }
    assert jobs.keys() == {row["run"] for row in rows}
    assert set(re.findall(r"wildcards: name=(\w+)", said)) == set(ORDER)
    # the local profile's limit lets one training in at a time
    gpus = 1 if profile == "local" else 2
    assert all(
        f"gpu={gpus}" in job and "runtime=120" in job and "--devices 2" in job
        for job in jobs.values()
    )
    folders = {row["run"]: row["folder"] for row in rows}
    for row in rows:
        waits = re.findall(r"input: (.*)", jobs[row["run"]])
        assert waits == ([f"{folders[row['start']]}/record.json"] if row["start"] else [])


@needs_snakemake
@pytest.mark.workflow
def test_killed_and_called_again_it_ends_as_reproduce_does(reproduced, tmp_path):
    place = Workplace(tmp_path / "place")
    first = place.start("local")
    while len(place.records()) < 5:
        assert first.poll() is None, first.stdout.read()
        time.sleep(0.2)
    os.kill(first.pid, signal.SIGKILL)  # its jobs go on as orphans, and hold their locks
    said = place.snakemake("local")
    assert place.records() == reproduced.records()
    assert {path.name for path in (place.results / "synthetic-tiny").iterdir()} == {
        path.name for path in (reproduced.results / "synthetic-tiny").iterdir()
    }
    assert "R-tab1" in said  # the summary
    trained = {path: path.stat().st_mtime_ns for path in place.runs.rglob("*.safetensors")}
    assert "1 of 1 steps" in place.snakemake("local")
    assert trained == {path: path.stat().st_mtime_ns for path in place.runs.rglob("*.safetensors")}


@needs_snakemake
@pytest.mark.workflow
def test_out_of_minutes_a_run_is_submitted_again_and_goes_on(finetuned, tmp_path):
    place = Workplace(tmp_path / "place")
    folder = place.folder(FINETUNED)
    said = place.snakemake("local", "--retries", 20, folder / "record.json", minutes=0.0001)
    # the failed jobs' logs are shown
    steps = re.findall(rf"{FINETUNED}: \S+ minutes are over at step (\d+)", said)
    assert list(dict.fromkeys(steps)) == ["1", "2", "3"]
    assert place.records() == finetuned


@needs_snakemake
@pytest.mark.workflow
def test_a_failed_job_names_its_run_and_its_log(asked_for, tmp_path):
    place = Workplace(tmp_path / "place")
    folder = place.folder("recurrent-t0")
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"broken")
    process = place.start("local", folder / "record.json")
    said = process.communicate(timeout=300)[0]
    assert process.returncode != 0
    error = said[said.index("Error in rule train") :]
    assert "paperlib train recurrent-t0 " in error and f"logs/{folder.name}.log" in error
    assert "paperlib: " in error and "checkpoint.pt: not a checkpoint of this run" in error
    assert (folder / "checkpoint.pt").read_bytes() == b"broken"


# ---------------------------------------------------------------- a real Slurm


QUICK = ("--slurm-init-seconds-before-status-checks", 2, "--seconds-between-status-checks", 2)


@pytest.fixture(scope="module")
def slurm(asked_for):
    """The Slurm that answers, else one started here for these tests."""
    if not shutil.which("sbatch"):
        pytest.skip("needs Slurm: apt-get install slurmctld slurmd slurm-client munge")
    if subprocess.run(["sinfo"], capture_output=True).returncode == 0:
        yield
        return
    if os.geteuid():
        pytest.skip("needs a Slurm that answers, or root to start one")
    script = ROOT / "workflow/slurm-on-one-machine.sh"
    up = subprocess.run([script, "up"], capture_output=True, text=True)
    assert up.returncode == 0, up.stderr
    # again, it changes nothing
    assert subprocess.run([script, "up"], capture_output=True).returncode == 0
    yield
    assert subprocess.run([script, "down"], capture_output=True).returncode == 0


@needs_snakemake
@pytest.mark.slurm
def test_the_tiny_catalogue_through_slurm(reproduced, slurm, tmp_path):
    place = Workplace(tmp_path / "place")
    said = place.snakemake("slurm", *QUICK)
    assert len(set(re.findall(r"SLURM jobid (\d+)", said))) == len(place.records()) + len(ORDER) + 1
    assert place.records() == reproduced.records()
    assert "R-tab1" in said


HANGS = """
import os, pathlib, sys, time
# Not in Snakemake, which has an environment of its own.
if sys.orig_argv[1:2] and sys.orig_argv[1].endswith("/paperlib") and "train" in sys.orig_argv:
    from paperlib import train
    from paperlib.data.crops import Crops
    train.CHECKPOINT_SECONDS, batch, seen = 0, Crops.batch, []
    def hanging(self, *words):
        seen.append(words)
        while len(seen) > 3 and not pathlib.Path(os.environ["GO_ON"]).exists():
            time.sleep(0.1)
        return batch(self, *words)
    Crops.batch = hanging
"""


@needs_snakemake
@pytest.mark.slurm
def test_a_job_killed_by_the_time_limit_is_requeued_and_resumes(slurm, tmp_path):
    """The first job hangs after its first steps, with a checkpoint behind it; its limit, lowered to
    a minute then, ends it."""
    (tmp_path / "sitecustomize.py").write_text(HANGS)
    paths = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    go = tmp_path / "go"
    place = Workplace(tmp_path / "place", PYTHONPATH=paths, GO_ON=str(go))
    go.touch()
    whole = place.paperlib("train", "recurrent", "--size", "tiny", "--device", "cpu")
    assert whole.returncode == 0, whole.stderr
    folder, wanted = Path(whole.stdout.splitlines()[-1]), place.records()
    folder.rename(place.home / "uninterrupted")
    go.unlink()

    process = place.start("slurm", folder / "record.json", *QUICK)
    while not (folder / "checkpoint.pt").exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.2)
    (first,) = states(place, "RUNNING")
    subprocess.run(
        ["scontrol", "update", f"JobId={first}", "TimeLimit=1"], env=place.environment, check=True
    )
    while first not in states(place, "TIMEOUT"):
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.2)
    halted = pd.read_csv(folder / "log.csv", dtype=str)
    go.touch()
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 0, said

    ids = re.findall(r"SLURM jobid (\d+)", said)
    assert len(ids) == 2 and ids[0] == first and ids[1] in states(place, "COMPLETED")
    final = pd.read_csv(folder / "log.csv", dtype=str)
    assert len(final) > len(halted) > 0
    # what the first job measured: it went on, and did not begin anew
    assert final["seconds"].head(len(halted)).equals(halted["seconds"])
    assert (
        "another process"
        not in (place.runs / "synthetic-tiny/logs" / f"{folder.name}.log").read_text()
    )  # the first job's is gone
    assert place.records() == wanted


def states(place, state):
    """The ids of Slurm's jobs of this state that were submitted from `place`."""
    command = ["squeue", "--noheader", f"--states={state}", "--Format=JobID:20,WorkDir:400"]
    lines = subprocess.run(
        command, env=place.environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line.split()[0] for line in lines if line.split()[1] == str(place.home)]
