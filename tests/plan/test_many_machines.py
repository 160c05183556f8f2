"""The page docs/many-machines.md: what it shows can be typed. Where dask-jobqueue is installed, its
slurm.py runs with a stand-in for `sbatch`: two jobs, one of them killed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY
from distributed.cli import dask_scheduler, dask_worker
from toy_notebooks import write_notebook

import run_all
from benchmarks import cluster
from riqa_lib import store
from riqa_lib.plan.cluster import Elsewhere
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import Step, Walk
from riqa_lib.training import photographs
from riqa_lib.training.planned_runs import planned

TEXT = (REPOSITORY / "docs" / "many-machines.md").read_text(encoding="utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", TEXT, re.S)
COMMANDS = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}
TLS = "--protocol tls --tls-ca-file a --tls-cert b --tls-key c"


def lines() -> list[list[str]]:
    """Every command of the page's shell blocks, in words; comments, `&`, assignments left out."""
    found = []
    for block in SHELL:
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.replace("$tls", TLS), comments=True)
            found.append([w for w in words if w != "&" and not re.match(r"[A-Za-z_]+=", w)])
    return [words for words in found if words]


def check_dask(words: list[str]) -> None:
    """dask knows every option of a command line."""
    known = {option for one in COMMANDS[words[1]].params for option in one.opts}
    assert {w for w in words if w.startswith("--")} <= known, words


def test_every_command_is_one_that_can_be_typed():
    for block in SHELL:
        subprocess.run(["sh", "-n"], input=block, text=True, check=True)
    seen = {"run_all": 0, "dask": 0}
    for words in lines():
        if words[:2] == ["python", "run_all.py"]:
            chosen = run_all.options(words[2:])
            assert chosen.runs
            seen["run_all"] += 1
        elif words[0].endswith("/dask"):
            check_dask(words)
            seen["dask"] += 1
        else:
            assert words[0] in ("umask", "mkdir", "openssl")
    assert seen == {"run_all": 7, "dask": 3}


SHORT = {
    "A laptop": "sh",
    "One machine with GPUs": "sh",
    "Machines that you can log in to": "sh",
    "SLURM": "python",
}


@pytest.mark.parametrize("under", SHORT)
def test_each_place_takes_few_lines(under):
    text = cluster.block(under, SHORT[under])
    assert len(text.splitlines()) <= 13
    if SHORT[under] == "python":
        compile(text, under, "exec")


def test_the_pods_run_a_dask_worker_that_asks_for_a_gpu():
    pod = yaml.safe_load(cluster.block("Kubernetes", "yaml"))["spec"]["template"]["spec"]
    (worker,) = pod["containers"]
    check_dask(shlex.split(worker["command"][2]))
    assert worker["resources"]["limits"] == {"nvidia.com/gpu": 1}
    assert worker["volumeMounts"][0]["name"] == pod["volumes"][0]["name"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_certificate_is_ours_alone_and_dask_takes_it(tmp_path):
    cluster.certificate(tmp_path)
    files = {name: tmp_path / "tls" / f"{name}.pem" for name in ("cert", "key")}
    assert {f.stat().st_mode & 0o77 for f in files.values()} == {0}
    where = Elsewhere("tls://x:1", *map(str, (files["cert"], files["cert"], files["key"])))
    assert where.security().get_connection_args("client")["ssl_context"]


# ---------------------------------------------------------------- SLURM
MANY = {"data.labelled": 60, "data.pool": 20, "train.steps": 300, "train.evaluations": 30}
GIVEN = {"NAME": "small", "PROFILE": "smoke", "SEED": 0, "SETTINGS": MANY}


def toy_walk(home: Path) -> Walk:
    for name in ("04_fixmatch", "05_simmatch"):
        shown = 'NAME = PROFILE = ""\nSEED = 0\nSETTINGS = {}'
        write_notebook(home / "nb" / f"{name}.ipynb", ["1"], parameters=shown)
    steps = [Step(n, f"{n}.ipynb", GIVEN, gpu=True) for n in ("04_fixmatch", "05_simmatch")]
    return Walk(tuple(steps), "small", home / "nb", home)


def kill_a_job(home: Path, jobs: Path) -> None:
    """As soon as both runs have a saved state, kill a job with all that it started."""
    states = home / "results/runs"
    while len(list(states.glob("*/state.safetensors"))) < 2:
        time.sleep(0.02)
    os.killpg(int(min(jobs.glob("*.pid")).read_text()), signal.SIGKILL)


def test_slurm_s_jobs_work_off_runs_and_one_may_be_killed(home, tmp_path, monkeypatch):
    """The page's slurm.py; its last line, which calls run_all.py, meets a stand-in that runs two
    steps of a toy plan with the options it was given."""
    pytest.importorskip("dask_jobqueue", reason="the extra riqa[cluster] is not installed")
    photographs.make_data("small", "smoke", MANY)
    (home / "nb").mkdir()
    shutil.copytree(home, tmp_path / "serial")
    walk, records = toy_walk(home), {}
    given = cluster.stand_ins(tmp_path)
    for name in ("PATH", "JOBS"):
        monkeypatch.setenv(name, given[name])
    monkeypatch.setenv("PYTHONPATH", f"{REPOSITORY}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.chdir(tmp_path)
    cluster.certificate(tmp_path)

    def call(command: list[str]) -> int:
        assert command[:3] == [sys.executable, "run_all.py", "--runs"]
        chosen = run_all.options(command[2:])
        where = Elsewhere(chosen.scheduler, chosen.tls_ca, chosen.tls_cert, chosen.tls_key)
        assert where.address.startswith("tls://")
        kills = threading.Thread(target=kill_a_job, args=(home, tmp_path / "jobs"), daemon=True)
        kills.start()
        records.update(run_plan(walk, scheduler=where, runs=True))
        kills.join(1)
        return 0

    code = cluster.block("SLURM", "python").replace("jobs=8", "jobs=2")
    monkeypatch.setattr(subprocess, "call", call)
    monkeypatch.setattr(sys, "argv", ["slurm.py", "--profile", "smoke"])
    with pytest.raises(SystemExit) as over:
        exec(compile(code, "slurm.py", "exec"), {"__name__": "__main__"})
    assert over.value.code == 0
    assert {r.state for r in records.values()} == {"done"}, records
    monkeypatch.setenv("RIQA_HOME", str(tmp_path / "serial"))
    for name in records:
        (one,) = planned(name, GIVEN)
        one.train()
        assert store.done(one.folder())
    assert cluster.outcome(home) == cluster.outcome(tmp_path / "serial")
    assert len(cluster.outcome(home)) == 2
