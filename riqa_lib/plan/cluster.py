"""Where steps run side by side: a dask cluster of our own on this machine, or one that is running.

Who reaches a dask scheduler runs code as the one who started it. Our own listens on loopback only
and speaks TLS with a key that is made for it and stays in memory, so that other users of this
machine are refused."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .steps import TURN, PlanError, ranks

PATIENCE = "20s"  # for a scheduler that is running

# dask looks at itself a hundred times a second, for its dashboard and for clusters of hundreds of
# machines: 8 to 12 % of what two cores can do (two workers, Intel Xeon). Ours has no dashboard.
SELDOM = 10.0  # seconds between two heartbeats; that a worker died is told by its connection
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "10s",
    "distributed.admin.tick.cycle": "10s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.scheduler.work-stealing": False,  # a worker has one step, no queue
    "distributed.scheduler.active-memory-manager.start": False,  # what steps return is small
    "distributed.client.scheduler-info-interval": "10s",
}


class Elsewhere(NamedTuple):
    """A dask scheduler that is running: its address, and the certificates of a client where they
    are not in dask's own configuration (distributed.comm.tls): files in PEM of the authority, of
    the client, and of its key ("" where that is in the client's)."""

    address: str
    ca: str = ""
    cert: str = ""
    key: str = ""

    def security(self) -> Any:
        """What dask's client needs: the certificates given, else what dask's configuration says."""
        from distributed.security import Security

        if not self.ca:
            return Security()
        return Security(
            require_encryption=True,
            tls_ca_file=self.ca,
            tls_client_cert=self.cert,
            tls_client_key=self.key or self.cert,
        )


def elsewhere(address: str | None, ca: str = "", cert: str = "", key: str = "") -> Elsewhere | None:
    """The scheduler that somebody typed, None for none; a line on stderr where it is a cleartext
    one of another machine. PlanError for what dask cannot have."""
    scheme, host = _address(address) if address else ("", "")
    _check_certificates(scheme, {"--tls-ca": ca, "--tls-cert": cert, "--tls-key": key})
    if scheme == "tcp" and not _is_here(host):
        print(
            f"--scheduler {address}: cleartext to another machine, and whoever reaches that port "
            "runs code as you; use tls:// (see --help)",
            file=sys.stderr,
        )
    return Elsewhere(address, ca, cert, key) if address else None


def _check_certificates(scheme: str, files: dict[str, str]) -> None:
    given = {option: file for option, file in files.items() if file}
    if given and scheme != "tls":
        raise PlanError(f"{', '.join(given)}: certificates are for --scheduler tls://HOST:PORT")
    if given and not {"--tls-ca", "--tls-cert"} <= given.keys():
        raise PlanError("--tls-ca and --tls-cert belong together")
    if absent := [f"{option} {file}" for option, file in given.items() if not os.path.isfile(file)]:
        raise PlanError(f"{', '.join(absent)}: no such file")


def _address(address: str) -> tuple[str, str]:
    """Protocol and host."""
    parts = urlsplit(address)
    if parts.scheme not in ("tcp", "tls") or not parts.hostname:
        raise PlanError(f"--scheduler {address}: expected tls://HOST:PORT, or tcp://HOST:PORT")
    return parts.scheme, parts.hostname


def _is_here(host: str) -> bool:
    """Whether a host is this machine's loopback.

    >>> _is_here("localhost"), _is_here("127.0.0.1"), _is_here("::1"), _is_here("10.0.0.1")
    (True, True, True, False)
    """
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def gpus() -> list[str]:
    """Identifiers of the GPUs this process may use (CUDA_VISIBLE_DEVICES, else nvidia-smi)."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [x.strip() for x in allowed.split(",") if x.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = [line for line in listed.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(found))]


def workers(jobs: int | None) -> list[tuple[dict[str, str], dict[str, float] | None]]:
    """Environment and resources of each worker: one a GPU and one without, or two (or `jobs`) on a
    CPU. Where RIQA_RANKS processes train each run, so many GPUs a worker; PlanError where there
    are fewer."""
    ids, each = gpus(), ranks()
    if not ids:
        return [({}, None)] * (jobs or 2)
    sets = [",".join(ids[i : i + each]) for i in range(0, len(ids) - each + 1, each)]
    if not sets:
        raise PlanError(f"RIQA_RANKS is {each}, and there are {len(ids)} GPUs: one each")
    on_gpu = [
        ({"CUDA_VISIBLE_DEVICES": sets[i % len(sets)]}, {"GPU": 1.0})
        for i in range(jobs or len(sets))
    ]
    return [*on_gpu, ({"CUDA_VISIBLE_DEVICES": ""}, None)]


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes started here ignore Ctrl-C (only the main thread may say so)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _temporary() -> Any:
    """As dask's Security.temporary, but valid at whatever time the clock shows: it may jump. The
    key never leaves this memory and that of the workers."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from distributed.security import Security

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "riqa")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(1970, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 12, 31, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("riqa")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    own = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    cert = made.public_bytes(serialization.Encoding.PEM).decode()
    both = {
        f"tls_{who}_{what}": text
        for who in ("client", "scheduler", "worker")
        for what, text in (("key", own), ("cert", cert))
    }
    return Security(require_encryption=True, tls_ca_file=cert, **both)


@contextlib.contextmanager
def cluster(jobs: int | None) -> Iterator[Any]:
    """A dask cluster of processes on this machine, its scheduler included; it listens on loopback
    only, and to those only who have the key that is made here."""
    import dask
    from distributed import Nanny, Scheduler, SpecCluster

    class Patient(Scheduler):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            for own in ("idle-timeout", "no-workers-timeout"):  # we set neither
                self.periodic_callbacks[own].callback_time = 1000 * SELDOM

        def heartbeat_worker(self, *args: Any, **told: Any) -> dict[str, Any]:
            return super().heartbeat_worker(*args, **told) | {"heartbeat-interval": SELDOM}

    security = _temporary()
    shared = {"host": "127.0.0.1", "protocol": "tls://", "security": security}
    common = shared | {
        "nthreads": 1,
        "memory_limit": 0,  # dask would pause or kill a step; the system's own limit stays
        "silence_logs": logging.CRITICAL,
    }
    each = {
        number: {
            "cls": Nanny,
            "options": common | {"env": env | {TURN: str(number)}, "resources": resources},
        }
        for number, (env, resources) in enumerate(workers(jobs))
    }
    place = shared | {"dashboard_address": "127.0.0.1:0", "dashboard": False}
    scheduler = {"cls": Patient, "options": place}
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(QUIET))
        try:
            with _uninterrupted():  # Ctrl-C is for this process, which then stops its workers
                made = SpecCluster(
                    workers=each,
                    scheduler=scheduler,
                    security=security,
                    silence_logs=logging.CRITICAL,
                )
                stack.enter_context(made)
        except (RuntimeError, TimeoutError) as e:
            raise PlanError(
                f"the workers did not start ({e}); start it again, or run one step after another "
                "with --serial"
            ) from e
        yield made


@contextlib.contextmanager
def client(jobs: int | None, running: Elsewhere | None) -> Iterator[Any]:
    """A client of the running scheduler, or of a cluster of our own. PlanError where the running
    one cannot be reached."""
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        if running is None:
            own = stack.enter_context(cluster(jobs))
            yield stack.enter_context(Client(own, set_as_default=False))
            return
        try:
            found = Client(
                running.address,
                security=running.security(),
                set_as_default=False,
                timeout=PATIENCE,
            )
        except (OSError, TypeError, RuntimeError, ValueError) as e:
            raise PlanError(
                f"--scheduler {running.address} cannot be reached ({e}); of tls:// dask's "
                "configuration or --tls-ca and --tls-cert name the certificates"
            ) from e
        yield stack.enter_context(found)


def room(client: Any) -> tuple[int, int]:
    """How many steps the workers of a cluster can run at a time (at least one: workers may come
    later), and how many on a GPU."""
    resources = [
        w.get("resources") or {} for w in client.scheduler_info(n_workers=-1)["workers"].values()
    ]
    return max(1, sum(client.nthreads().values())), int(sum(r.get("GPU", 0) for r in resources))
