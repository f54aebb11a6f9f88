"""The rows tls/0/SIZE: publishing through TLS, beside the same packets through rustls alone."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import drivers
import report
from drivers import Driver

PEER = "{target}/release/mqttsession-tls-peer"

LEGEND = """\
Raw is here what rustls itself does: the same packets, encoded beforehand, in writes of 64 KiB through a
blocking socket. Wanted is 90 % of it in Rust, 85 % through the C interface. The peer decrypts all that
comes, so it may be busier than the program."""


@contextmanager
def prepare(driver: Driver) -> Iterator[tuple[Driver, list[str]]]:
    """The driver with the authority to trust, and the command of the peer that has its certificate."""
    peer = drivers.fill([PEER])
    if not Path(peer[0]).exists():
        sys.exit("benches: no peer for TLS; try: cargo build --release -p mqttsession-benches")
    with tempfile.TemporaryDirectory() as directory:
        authority = str(Path(directory) / "authority.pem")
        environment = driver.environment | {"BENCH_AUTHORITY": authority}
        yield replace(driver, environment=environment), [*peer, authority]


def table(runs: report.Table) -> list[str]:
    """The table of a row of mode tls."""
    suites = {run["suite"] for good in runs.good.values() for run in good}
    agreed = f"Cipher suite: {', '.join(sorted(suites))}."
    return [LEGEND, agreed, "", *report.throughput(runs)]
