"""Another user of this machine, uid 65534: refused by everything of the cluster that steps run on
that listens; its key is nowhere that they could read, and neither are sockets and connection files
of kernels.

The stranger is a process that begins as root, tries all of it once with the key, and drops its
rights: what is refused then is refused for who asks. So this needs root, and is skipped without."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import dask
import psutil
import pytest
from jupyter_client.manager import KernelManager

from riqa_lib.plan import cluster, kernel

STRANGER = """
import asyncio, json, os, socket, sys
from distributed.core import rpc
from distributed.security import Security

given = json.load(sys.stdin)

def knock(address, security):
    async def ask():
        async with rpc(address, connection_args=security.get_connection_args("client")) as there:
            await asyncio.wait_for(there.identity(), 0.7)
    try:
        asyncio.run(ask())
        return "let in"
    except Exception as e:
        return f"refused: {type(e).__name__}"

def tried(what):
    try:
        return what()
    except OSError as e:
        return type(e).__name__

def read(file):
    with open(file, "rb") as opened:
        return "the key" if given["secret"].encode() in opened.read() else "read"

def connected(file):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(file)
    return "let in"

def look():
    below = [os.path.join(at, f) for at, _, fs in os.walk(given["folder"]) for f in fs]
    of_processes = [f"/proc/{pid}/{of}" for pid in given["pids"] for of in ("environ", "cmdline")]
    return {
        "with the key": [knock(a, ours) for a in given["addresses"]],
        "cleartext": [knock(a.replace("tls:", "tcp:"), Security()) for a in given["addresses"]],
        "another key": [knock(a, own) for a in given["addresses"]],
        "files": {f: tried(lambda: read(f)) for f in (*below, *of_processes, *given["files"])},
        "descriptors": [tried(lambda: os.listdir(f"/proc/{pid}/fd")) for pid in given["pids"]],
        "scratch": tried(lambda: "listed" if os.listdir(given["scratch"]) else "empty"),
        "sockets": {f: tried(lambda: connected(f)) for f in given["sockets"]},
    }

ours, own = Security(require_encryption=True, **given["key"]), Security.temporary()
told = {"root": look()}
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
told |= {"stranger": look(), "uid": os.getuid()}
json.dump(told, sys.stdout)
"""
PARTS = ("tls_ca_file", "tls_client_cert", "tls_client_key")

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root can become another user: what another one reaches was not tried",
)


@pytest.fixture
def place(monkeypatch):
    """A temporary folder that is everybody's, as /tmp is."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="riqa-other-"))
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    with dask.config.set({"temporary-directory": str(folder)}):
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


def bound(manager: KernelManager) -> list[str]:
    """Sockets where those of a kernel would be."""
    ports = (getattr(manager, f"{name}_port") for name in ("shell", "iopub", "stdin", "control"))
    return [f"{manager.ip}-{port}" for port in ports]


def test_another_user_gets_no_answer_and_finds_no_key(place, monkeypatch):
    monkeypatch.setattr(cluster, "workers", lambda jobs: [({}, None)])
    with cluster.client(1, None) as client, kernel.scratch() as scratch:
        info = client.scheduler_info()
        workers = info["workers"]
        addresses = [info["address"], *workers, *(w["nanny"] for w in workers.values())]
        assert len(addresses) == 3
        connection, ip = scratch / "k.json", str(scratch / "k")
        manager = KernelManager(connection_file=str(connection), transport="ipc", ip=ip)
        manager.write_connection_file()
        sockets = []
        for name in bound(manager):
            sockets.append(socket.socket(socket.AF_UNIX))
            sockets[-1].bind(name)
            sockets[-1].listen()
        us = psutil.Process()
        key = {part: getattr(client.security, part) for part in PARTS}
        asked = {
            "addresses": addresses,
            "key": key,
            "secret": key["tls_client_key"].splitlines()[1],
            "folder": str(place),
            "pids": [us.pid, *(child.pid for child in us.children(recursive=True))],
            "files": [str(connection)],
            "scratch": str(scratch),
            "sockets": bound(manager),
        }
        command = [sys.executable, "-c", STRANGER]
        ran = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)
        for one in sockets:
            one.close()
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    root, stranger = told["root"], told["stranger"]
    assert told["uid"] == 65534
    # that whoever has the key is let in shows that the refusals below are no accident
    assert root["with the key"] == stranger["with the key"] == ["let in"] * 3
    assert set(root["sockets"].values()) == {"let in"}
    assert root["files"][str(connection)] == "read"
    for how in ("cleartext", "another key"):
        assert [answer.partition(":")[0] for answer in stranger[how]] == ["refused"] * 3
    assert set(stranger["sockets"].values()) == {"PermissionError"}
    assert (root["scratch"], stranger["scratch"]) == ("listed", "PermissionError")
    assert stranger["descriptors"] == ["PermissionError"] * len(asked["pids"])
    files = stranger["files"]
    assert "the key" not in files.values()
    assert files[str(connection)] == "PermissionError"  # named, since they cannot list the folder
    assert {files[f"/proc/{pid}/environ"] for pid in asked["pids"]} == {"PermissionError"}
    assert len(files) > len(root["files"]) / 2  # /proc, and what lies in the open
