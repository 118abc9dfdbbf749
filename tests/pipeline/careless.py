"""A deliberately careless harvester: it writes its checkpoint first and its page after. The crash tests must see it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from urllib.request import urlopen

from lxml import etree

from harvester.demo.sample import Sample

OAI = "{http://www.openarchives.org/OAI/2.0/}"


class Careless:
    """Harvests one partner page by page into a table of identifiers."""

    def __init__(self, folder: Path, sample: Sample) -> None:
        folder.mkdir()
        self.folder = folder
        self.code = sorted(sample.served)[0]
        self.url = sample.simulator.url(self.code)
        self.prefix = sample.served[self.code].metadata_prefix

    def fault_free(self) -> list[str]:
        return self._harvest(self.folder / "good", die_on_page=0)

    def killed_between_checkpoint_and_page(self) -> list[str]:
        self._harvest(self.folder / "bad", die_on_page=2)
        return self._harvest(self.folder / "bad", die_on_page=0)

    def _harvest(self, path: Path, die_on_page: int) -> list[str]:
        state = path.with_suffix(".json")
        with sqlite3.connect(path) as conn:
            conn.execute("CREATE TABLE IF NOT EXISTS held (identifier TEXT PRIMARY KEY)")
            token = json.loads(state.read_text())["token"] if state.exists() else None
            number = 0
            while True:
                number += 1
                query = f"resumptionToken={token}" if token else f"metadataPrefix={self.prefix}"
                with urlopen(f"{self.url}?verb=ListRecords&{query}") as answer:
                    page = etree.fromstring(answer.read())
                token = page.findtext(f".//{OAI}resumptionToken") or ""
                state.write_text(json.dumps({"token": token}))
                if number == die_on_page:
                    conn.commit()
                    return []
                names = [one.text for one in page.iter(f"{OAI}identifier")]
                conn.executemany("INSERT OR IGNORE INTO held VALUES (?)", [(name,) for name in names])
                conn.commit()
                if not token:
                    return [row[0] for row in conn.execute("SELECT identifier FROM held ORDER BY 1")]
