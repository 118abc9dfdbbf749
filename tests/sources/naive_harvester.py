"""A deliberately naive harvester: the loop over sickle that everybody writes first.

Each fault test is run against it and must fail there, so that no test is empty.
"""

from __future__ import annotations

import requests
from sickle import Sickle

from tests.sources.outcome import Outcome


def harvest(url: str, patience: float = 60, **arguments: str) -> Outcome:
    """What a plain sickle loop brings home; it believes that a loop that ends has everything."""
    outcome = Outcome(url=url)
    try:
        sickle = Sickle(url, timeout=patience)
        for record in sickle.ListRecords(metadataPrefix="oai_dc", **arguments):
            outcome.identifiers.append(record.header.identifier)
            outcome.deleted += [record.header.identifier] if record.deleted else []
            outcome.payloads.append(record.raw)
            if len(outcome.identifiers) > 500:
                raise RuntimeError("runs for ever")
        outcome.verdict = "complete"
    except Exception as error:  # noqa: BLE001 - whatever it dies of
        outcome.error = error
    return outcome


def fetch(url: str) -> bytes:
    """The body of *url* by requests with nothing around it but a time-out, which it has not by default."""
    return requests.get(url, timeout=60).content
