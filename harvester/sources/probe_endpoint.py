"""Where a library's OAI-PMH server is, and which software it is: guesses from addresses and words, all shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from harvester.sources.oai_identify import Identity

_SLIMS = re.compile(r"(?<=/)oai(2?)\.php(?=/|$)")

# Where the softwares put their servers, below the site; asked in this order when the address itself is no server.
_USUAL_PLACES = (
    "oai2.php",
    "oai.php",
    "opac/oai",
    "oai/request",
    "server/oai/request",
    "cgi-bin/koha/oai.pl",
    "cgi/oai2",
    "index.php/index/oai",
    "oai",
    "oai-pmh-repository/request",
)

# software, preset, pattern of the address, pattern of what Identify says
_MARKS = (
    ("Koha", "koha", r"/koha/oai\.pl", r"koha"),
    ("DSpace", "dspace", r"/oai/request$|/server/oai", r"dspace"),
    ("EPrints", "eprints", r"/cgi/oai2", r"eprints"),
    ("OJS", "ojs", r"/index\.php/[^/]+/oai", r"open journal systems|pkp"),
    ("Omeka", "omeka", r"/oai-pmh-repository", r"omeka"),
    ("INLISLite", "inlislite", r"/opac/oai|inlislite", r"inlislite"),
)


def candidates(url: str) -> tuple[str, ...]:
    """*url*, then the usual places below it when it looks like a site and not like an endpoint."""
    parts = urlsplit(url)
    if parts.query or re.search(r"oai|\.php|\.pl|request", parts.path, re.IGNORECASE):
        return (url,)
    base = parts.path.rstrip("/")
    return (url, *(urlunsplit(parts._replace(path=f"{base}/{place}", fragment="")) for place in _USUAL_PLACES))


def siblings(url: str) -> tuple[str, str]:
    """The oai2.php and the oai.php of a SLiMS site; both empty when *url* is neither."""
    parts = urlsplit(url)
    if not _SLIMS.search(parts.path):
        return "", ""
    better, worse = (urlunsplit(parts._replace(path=_SLIMS.sub(name, parts.path))) for name in ("oai2.php", "oai.php"))
    return better, worse


def guess_software(url: str, identity: Identity | None, formats: Sequence[str]) -> tuple[str, str, str]:
    """Software, preset and the reason; unknown and generic when nothing speaks for one."""
    slims = _SLIMS.search(urlsplit(url).path)
    if slims:
        preset = f"slims-oai{slims[1]}"
        return "SLiMS", preset, f"software: SLiMS, by its address {slims[0]}"
    words = f"{identity.descriptions} {identity.repository_name}".lower() if identity else ""
    for software, preset, place, said in _MARKS:
        if re.search(place, url, re.IGNORECASE):
            return software, preset, f"software: {software}, by its address"
        if re.search(said, words):
            return software, preset, f"software: {software}, by its own description"
    if set(formats) in ({"oai_dc", "oai_marc", "marcxml", "rif"}, {"oai_dc", "marc"}):
        return "INLISLite", "inlislite", f"software: INLISLite, by its formats {', '.join(formats)}"
    return "unknown", "generic", "software: not recognised"
