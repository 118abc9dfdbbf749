"""How much there is: pages, volumes, height."""

from __future__ import annotations

from harvester.match.comparing import comparison
from harvester.model import Profile


@comparison(1, "equal close near far volumes", either="pages")
def pages(left: Profile, right: Profile) -> str:
    """The largest pagination: close within 3 pages or 4 %, near within 10 %; `volumes` against pages of one volume."""
    mine, theirs = left.pages, right.pages
    if not mine or not theirs:
        return "volumes" if (mine and right.volumes > 1) or (theirs and left.volumes > 1) else "missing"
    if mine == theirs:
        return "equal"
    gap, most = abs(mine - theirs), mine if mine > theirs else theirs
    if gap <= 3 or gap * 25 <= most:
        return "close"
    return "near" if gap * 10 <= most else "far"


@comparison(1, "equal close different", both="volumes")
def volumes(left: Profile, right: Profile) -> str:
    """The number of volumes, where both say one; `close` when less than half of them are missing on one side."""
    few, many = sorted((left.volumes, right.volumes))
    if few == many:
        return "equal"
    return "close" if few * 2 > many else "different"


@comparison(1, "equal close different", both="height")
def height(left: Profile, right: Profile) -> str:
    """Height in centimetres; one centimetre is a matter of rounding."""
    gap = abs(left.height - right.height)
    return ("equal", "close")[gap] if gap < 2 else "different"


@comparison(1, "equal close different", both="minutes")
def playing_time(left: Profile, right: Profile) -> str:
    """The minutes of a film or recording; `close` within 8 %, as PAL runs 4 % faster than the film."""
    few, many = sorted((left.minutes, right.minutes))
    if many - few <= 2:
        return "equal"
    return "close" if (many - few) * 100 <= many * 8 else "different"
