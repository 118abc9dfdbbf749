"""extent."""

from __future__ import annotations

from harvester.model import Extent
from harvester.normalize.extents import extent_of, is_file_type
from harvester.normalize.functions import functions


@functions.register("extent")
def extent(*, text: list[str], size: str = "") -> Extent | None:
    """The extent with its largest pagination, volumes and height in centimetres.

    >>> extent(text=["xii, 350 hlm. :"], size="21 cm")
    Extent(text='xii, 350 hlm.', pages=350, volumes=None, height=21)
    >>> extent(text=["application/pdf", "120 hlm."]).text
    '120 hlm.'
    >>> extent(text=["3 jilid"]).volumes, extent(text=["1 CD-ROM"]).pages, extent(text=["xxiv p."]).pages
    (3, None, 24)
    """
    text = [one for one in text if not is_file_type(one)]
    return extent_of(" ; ".join(text) if len(text) > 1 else "".join(text), size)
