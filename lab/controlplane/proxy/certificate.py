"""`proxy-certificate`: what is wrong with the certificate that a proxy uses, as one JSON object; run in its
container. With `--renew` the proxy gets a new one first.

`lab fault.certificate` and `lab fault.clock` read back by it what they did.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from lab.base.errors import LabError
from lab.base.wait import until
from lab.controlplane.identity.certificates import CLOCK_SKEW, problem_of
from lab.controlplane.identity.client import Settings
from lab.controlplane.proxy.bootstrap import Places
from lab.controlplane.proxy.envoy import ask
from lab.controlplane.proxy.launch import launch_of

COMMAND = "proxy-certificate"
NEW_WITHIN = 5.0
"""Seconds for a new certificate to be signed and loaded."""


async def renew(places: Places) -> None:
    """Have the launcher fetch a certificate, and wait until Envoy uses that one."""
    before = _serial(places.certificates)
    ask(places.metrics, "POST", "/renew")

    async def is_new() -> bool:
        return _serial(places.certificates) != before and is_in_use(places)

    await until(is_new, timeout=NEW_WITHIN, what="the proxy uses a new certificate")


def is_in_use(places: Places) -> bool:
    """Whether Envoy has loaded the certificate on disk."""
    loaded = json.loads(ask(places.admin, "GET", "/certs"))["certificates"]
    serials = {int(one["serial_number"], 16) for pair in loaded for one in pair["cert_chain"]}
    return _serial(places.certificates) in serials


def judged(settings: Settings) -> dict[str, object]:
    """What is wrong with the certificate on disk, and how far ahead the clock was that signed it."""
    file = settings.directory / "cert.pem"
    chain = file.read_bytes()
    start = x509.load_pem_x509_certificate(chain).not_valid_before_utc
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    return {
        "problem": problem_of(chain, settings.read_roots(), settings.name, datetime.now(UTC)),
        "skewSeconds": round((start + CLOCK_SKEW - written).total_seconds()),
    }


def _serial(folder: Path) -> int:
    return x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes()).serial_number


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--renew", action="store_true", help="get a new certificate first")
    options = parser.parse_args(argv)
    try:
        launch = launch_of(os.environ)
        if options.renew:
            asyncio.run(renew(launch.places))
        if not is_in_use(launch.places):
            raise LabError("the proxy does not use the certificate on disk")
        json.dump(judged(launch.credentials), sys.stdout)
    except (LabError, OSError) as error:
        sys.stderr.write(f"{COMMAND}: {error}\n")
        return 1
    return 0
