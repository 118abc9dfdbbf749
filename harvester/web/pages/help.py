"""Help: what each page is for, the keys, the terms."""

from __future__ import annotations

from harvester.web.views import Pages, View
from harvester.web.visit import Visit

pages = Pages()


@pages.get("/help", needs="public", forms=("",))
def show(visit: Visit) -> View:
    return View("help.html", {})
