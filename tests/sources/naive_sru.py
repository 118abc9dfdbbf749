"""A deliberately naive SRU client: follows nextRecordPosition as sruthi does, and takes what it finds for a record.

Each fault test must fail on it, so that no test is empty.
"""

from __future__ import annotations

import requests
from lxml import etree

from tests.sources.outcome import Outcome

PAGE = 10


def harvest(url: str) -> Outcome:
    """What the naive loop brings home; it believes that a loop that ends has everything."""
    outcome, position = Outcome(url=url), 1
    try:
        for _ in range(60):
            query = {"version": "1.1", "operation": "searchRetrieve", "query": "cql.allRecords=1"}
            body = requests.get(
                url, query | {"startRecord": str(position), "maximumRecords": str(PAGE)}, timeout=60
            ).content
            root = etree.fromstring(body, etree.XMLParser(recover=True))
            for record in root.iterfind(".//{*}recordData"):
                numbers = record.xpath(".//*[local-name()='controlfield' and @tag='001']/text()")
                outcome.identifiers.append(str(numbers[0]))
            following = root.find(".//{*}nextRecordPosition")
            if following is None:
                break
            position = int(following.text)
        outcome.verdict, outcome.proof = "complete", "proven"
    except (requests.RequestException, etree.LxmlError, IndexError, ValueError, AttributeError) as error:
        outcome.error = error
    return outcome
