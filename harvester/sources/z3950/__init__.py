"""Z39.50 in pure Python: ber (bytes), apdu (requests and answers), pqf (queries), client (one association), worker
(the process that holds it), session (our end of that process), harvest (the source)."""

from __future__ import annotations

from harvester.sources import sources
from harvester.sources.z3950.harvest import open_z3950

sources.register("z3950")(open_z3950)
