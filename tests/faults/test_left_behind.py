"""What a killed process left is removed by the next that does the same; a damaged run is made
anew; a clock may jump."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from toy_notebooks import write_notebook

from riqa_lib import contents, store
from riqa_lib.plan import cluster, kernel
from riqa_lib.plan.run import run_plan
from riqa_lib.plan.steps import PlanError, Step, Walk

CONFIG = {"method": {"name": "toy"}, "seed": 3}
KILLED = {
    "part": """
from pathlib import Path
from riqa_lib import contents
with contents.replacing(Path({place!r}) / "table.csv") as part:
    part.write_text("half")
    os.kill(os.getpid(), 9)
""",
    "scratch": """
from riqa_lib.plan import kernel
with kernel.scratch():
    os.kill(os.getpid(), 9)
""",
}


def killed(which, place):
    """A process that is killed in the middle of it."""
    code = "import os\n" + KILLED[which].format(place=str(place))
    env = {**os.environ, "TMPDIR": str(place)}
    done = subprocess.run([sys.executable, "-c", code], env=env)
    assert done.returncode == -signal.SIGKILL


def test_the_part_of_a_killed_process_goes_that_of_a_living_one_stays(tmp_path):
    killed("part", tmp_path)
    (dead,) = tmp_path.glob(".table.csv.*.part")
    own, alive = (f"-{pid}-" for pid in (dead.name.split("-")[-2], os.getppid()))
    living = dead.with_name(dead.name.replace(own, alive))
    other = dead.with_name(dead.name.replace("table", "a table"))
    for file in (living, other):
        file.write_text("half")
    store.write_bytes(tmp_path / "table.csv", b"mine")
    assert set(tmp_path.iterdir()) == {tmp_path / "table.csv", living, other}
    assert (tmp_path / "table.csv").read_text() == "mine"


def test_a_plan_that_runs_removes_parts_of_files_that_nobody_writes_any_more(tmp_path):
    """Of a run on data that have changed since, say."""
    home = tmp_path / "home"
    runs = home / "results/runs/gone-123"
    runs.mkdir(parents=True)
    killed("part", runs)
    (dead,) = runs.glob(".table.csv.*.part")
    alive = dead.with_name(dead.name.replace(f"-{dead.name.split('-')[-2]}-", f"-{os.getppid()}-"))
    resumed = runs / ".pixels-ab12.part"  # to resume from
    elsewhere = dead.with_name(dead.name.replace(f".csv.{contents._host()}", ".csv.another"))
    for file in (alive, resumed, elsewhere):
        file.write_text("half")
    write_notebook(tmp_path / "a.ipynb", ["1"])
    walk = Walk((Step("a", "a.ipynb", {"SEED": 0}),), "toy", tmp_path, home)
    assert run_plan(walk, serial=True, stream=io.StringIO())["a"].ok
    assert set(runs.iterdir()) == {alive, resumed, elsewhere}


def test_the_part_of_a_dead_process_that_nobody_waited_for_goes_too(tmp_path):
    code = "import os\n" + KILLED["part"].format(place=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code]) as dead:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        assert list(tmp_path.glob(".table.csv.*.part"))
        store.write_bytes(tmp_path / "table.csv", b"mine")
        assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


@pytest.fixture
def short():
    """A folder whose path is short enough for sockets in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_the_scratch_folder_of_a_killed_process_goes_others_stay(short, monkeypatch):
    killed("scratch", short)
    monkeypatch.setattr(kernel, "_scratch", lambda: str(short))
    (dead,) = short.glob("riqa-*")
    foreign = short / "riqa-of-somebody"
    foreign.mkdir()
    with kernel.scratch() as first:
        assert not dead.exists()
        with kernel.scratch():
            assert first.exists()
    assert list(short.iterdir()) == [foreign]


def finished():
    folder = store.run_folder(CONFIG)
    for name in ("model.safetensors", "history.csv"):
        store.write_bytes(folder / name, name.encode())
    store.finish(folder, {"labels": 3})
    return folder


@pytest.mark.parametrize("harm", [lambda file: file.unlink(), lambda file: file.write_text("x")])
def test_a_run_that_was_finished_and_is_damaged_is_made_anew(home, harm, capsys):
    folder = finished()
    assert store.done(store.run_folder(CONFIG))
    harm(folder / "model.safetensors")
    assert store.spoilt(folder) == ["model.safetensors"]
    assert store.run_folder(CONFIG) == folder
    assert not store.done(folder)
    assert "model.safetensors damaged; this run is made anew" in capsys.readouterr().out
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "history.csv"]


def test_damaged_settings_of_a_run_are_written_anew(home):
    file = store.run_folder(CONFIG) / "config.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:9])
    store.run_folder(CONFIG)
    assert file.read_bytes() == whole


def test_the_key_of_the_cluster_is_valid_whatever_the_clock_says():
    security = cluster._temporary()
    made = x509.load_pem_x509_certificate(security.tls_worker_cert.encode())
    assert made.not_valid_before_utc <= datetime(1970, 1, 2, tzinfo=UTC)
    assert made.not_valid_after_utc >= datetime(9999, 1, 1, tzinfo=UTC)


def test_workers_that_do_not_start_are_a_clear_error(monkeypatch):
    import distributed

    def dies(**_):
        raise RuntimeError("Nanny failed to start worker process")

    monkeypatch.setattr(distributed, "SpecCluster", dies)
    with (
        pytest.raises(
            PlanError, match=r"did not start \(Nanny failed .* start it again, or .*--ser"
        ),
        cluster.cluster(1),
    ):
        pass


def test_the_state_of_a_run_that_was_killed_when_it_had_finished_goes(home):
    from riqa_lib.training import run_folder

    folder = finished()
    with run_folder.opened(CONFIG) as place:
        place.state().write_bytes(b"left")
        place.reuse()
    assert not place.state().exists()
    assert store.done(folder)
