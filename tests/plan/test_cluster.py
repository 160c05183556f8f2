"""The cluster that steps run on lets nobody else in, and leaves the machine to them."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from contextlib import contextmanager

import pytest

import run_all
from riqa_lib.plan import cluster
from riqa_lib.plan.cluster import Elsewhere, elsewhere
from riqa_lib.plan.steps import TURN, PlanError

SHORT = 0.7  # seconds that a stranger tries


@contextmanager
def own(monkeypatch):
    """The scheduler of a cluster of our own, without workers."""
    monkeypatch.setattr(cluster, "workers", lambda jobs: [])
    with cluster.client(1, None) as client:
        yield client


def knock(address: str, security) -> str:
    """What a stranger meets who wants to talk to dask at this address."""
    from distributed.core import rpc

    async def ask() -> str:
        async with rpc(address, connection_args=security.get_connection_args("client")) as there:
            return str(await asyncio.wait_for(there.identity(), SHORT))

    try:
        return f"let in: {asyncio.run(ask())}"
    except Exception as e:  # what it is depends on the system
        return f"refused: {type(e).__name__}"


def test_a_stranger_is_refused_and_we_are_not(monkeypatch):
    from distributed.security import Security

    with own(monkeypatch) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        assert client.run_on_scheduler(os.getpid) == os.getpid()  # ours, and it answers
        cleartext = address.replace("tls://", "tcp://")
        assert knock(cleartext, Security()).startswith("refused")
        assert knock(address, Security.temporary()).startswith("refused")  # a key of their own
        assert knock(address, client.security).startswith("let in")


def looks_a_second() -> float:
    """How often what runs again and again in this process's loops runs."""
    from tornado.ioloop import PeriodicCallback

    every = [o for o in gc.get_objects() if isinstance(o, PeriodicCallback) and o.is_running()]
    return sum(1000 / one.callback_time for one in every)


def test_a_cluster_of_ours_leaves_the_cores_to_the_steps():
    """As dask has it, a worker looks at itself 160 times a second, the scheduler 110 times."""
    gc.collect()
    before = looks_a_second()
    with cluster.client(1, None) as client:
        assert looks_a_second() - before < 5
        for _ in range(100):  # the first answer to a heartbeat says when the next is due
            (worker,) = client.run(looks_a_second).values()
            if worker < 2:
                break
            time.sleep(0.1)
        assert worker < 2


def test_every_process_of_the_cluster_has_the_key(monkeypatch):
    """What is given to the scheduler and to each worker, whose ports run code too."""
    import distributed

    given = {}

    def stand_in(**all_of_it):
        given.update(all_of_it)
        raise InterruptedError

    monkeypatch.setattr(distributed, "SpecCluster", stand_in)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InterruptedError), cluster.cluster(2):
        pass
    options = [given["scheduler"]["options"], *(w["options"] for w in given["workers"].values())]
    assert len(options) == 3
    assert [o["env"][TURN] for o in options[1:]] == ["0", "1"]  # each knows which it is
    assert {o["host"] for o in options} == {"127.0.0.1"}
    assert {o["protocol"] for o in options} == {"tls://"}
    assert all(o["security"] is given["security"] for o in options)
    assert given["security"].require_encryption


def test_a_running_scheduler_with_tls_is_reached_by_its_certificates(monkeypatch, tmp_path):
    with own(monkeypatch) as client:
        files = []
        for name in ("tls_ca_file", "tls_client_cert", "tls_client_key"):
            files.append(tmp_path / f"{name}.pem")
            files[-1].write_text(getattr(client.security, name))
        running = elsewhere(client.scheduler.address, *map(str, files))
        with cluster.client(None, running) as found:
            assert cluster.room(found) == (1, 0)
        monkeypatch.setattr(cluster, "PATIENCE", f"{SHORT}s")
        with (
            pytest.raises(PlanError, match=r"--scheduler tls://127.* cannot be reached .*--tls-ca"),
            cluster.client(None, Elsewhere(client.scheduler.address)),
        ):
            pass


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("10.0.0.1:8786",), "expected tls://HOST:PORT"),
        (("http://10.0.0.1:8786",), "expected tls://HOST:PORT"),
        (("tls://10.0.0.1:8786", "ca.pem"), "--tls-ca and --tls-cert belong together"),
        (("tls://10.0.0.1:8786", "ca.pem", "my.pem"), r"--tls-ca ca\.pem, .*: no such file"),
        (("tcp://10.0.0.1:8786", "ca.pem", "my.pem"), "certificates are for --scheduler tls://"),
        ((None, "ca.pem"), "certificates are for --scheduler tls://"),
    ],
)
def test_what_dask_cannot_have_is_said(typed, said):
    with pytest.raises(PlanError, match=said):
        elsewhere(*typed)


def test_cleartext_to_another_machine_warns(capsys):
    assert elsewhere("tcp://127.0.0.1:8786") == Elsewhere("tcp://127.0.0.1:8786")
    assert elsewhere("tls://10.0.0.1:8786") == Elsewhere("tls://10.0.0.1:8786")
    assert elsewhere(None) is None
    assert not capsys.readouterr().err
    elsewhere("tcp://10.0.0.1:8786")
    assert "cleartext to another machine" in capsys.readouterr().err


def test_the_command_line_says_it_too(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    asked = ["--home", str(tmp_path), "--only", "13_fundus_datasets"]
    assert run_all.main([*asked, "--scheduler", "nowhere"]) == 2
    assert "run_all.py: --scheduler nowhere: expected tls://HOST:PORT" in capsys.readouterr().err


def test_a_worker_has_a_gpu_for_each_process_of_a_run(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3,5,7,8")
    monkeypatch.setenv("RIQA_RANKS", "2")
    seen = [env["CUDA_VISIBLE_DEVICES"] for env, _ in cluster.workers(None)]
    assert seen == ["2,3", "5,7", ""]
    seen = [env["CUDA_VISIBLE_DEVICES"] for env, _ in cluster.workers(3)]
    assert seen == ["2,3", "5,7", "2,3", ""]
    monkeypatch.setenv("RIQA_RANKS", "6")
    with pytest.raises(PlanError, match="RIQA_RANKS is 6, and there are 5 GPUs: one each"):
        cluster.workers(None)
    monkeypatch.setenv("RIQA_RANKS", "many")
    with pytest.raises(PlanError, match="RIQA_RANKS is 'many', expected a whole number from 1 on"):
        cluster.workers(None)
