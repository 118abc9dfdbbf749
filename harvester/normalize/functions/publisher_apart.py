"""publisher_apart."""

from __future__ import annotations

import re

from harvester.model import Publication
from harvester.normalize.functions import functions

# What stands behind the comma of a place without publisher: an abbreviation, a state, a country.
_PLACE = re.compile(
    r"(?:[A-Z][\w]{0,3}\.\s?)+|[A-Z]{2,3}|Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida"
    r"|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan"
    r"|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New (?:Hampshire|Jersey|Mexico|York)|(?:North|South) \w+"
    r"|Ohio|Oklahoma|Oregon|Pennsylvania|Tennessee|Texas|Utah|Vermont|Virginia|West Virginia|Washington|Wisconsin"
    r"|Wyoming|Ontario|Quebec|England|Scotland|Wales|Ireland|France|Germany|Italy|India|Indonesia|Malaysia|Singapore|Australia"
    r"|Canada|Egypt|Lebanon|Netherlands|Jawa \w+|Sumatera \w+|Bali|London|Paris"
)
_STATE = re.compile(
    r"((?:[A-Z]\.\s?){2,3}|(?:Ala|Ariz|Ark|Calif|Colo|Conn|Fla|Ill|Ind|Kan|Mass|Mich|Minn|Miss|Ont|Pa|Tenn|Tex|Va|Wash|Wis)"
    r"\.), (?=\S)"
)
_SELLER = re.compile(r" : (?:for sale|sold|distributed|available) .*", re.IGNORECASE)


@functions.register("publisher_apart")
def publisher_apart(publication: Publication) -> Publication:
    """Place and publisher of a record that has both in one subfield: `Paris, Gallimard`, `Hilversum : NCRV`.

    >>> publisher_apart(Publication("Paris, Gallimard"))
    Publication(place='Paris', publisher='Gallimard')
    >>> publisher_apart(Publication("Medina, Texas")).publisher, publisher_apart(Publication("Jakarta")).publisher
    ('', '')
    >>> publisher_apart(Publication("", "Hilversum : NCRV"))
    Publication(place='Hilversum', publisher='NCRV')
    >>> publisher_apart(Publication("Mount Vernon", "N.Y., Peter Pauper Press"))
    Publication(place='Mount Vernon, N.Y.', publisher='Peter Pauper Press')
    >>> publisher_apart(Publication("Washington", "Dept. of State : for sale by the Supt. of Docs.")).publisher
    'Dept. of State'
    >>> publisher_apart(Publication("Western Reserve Historical Society, 1973")).publisher
    ''
    """
    if publication.publisher:
        if " : " in publication.publisher and (found := _SELLER.search(publication.publisher)):
            publication = Publication(publication.place, publication.publisher[: found.start()])
        return _place_in_front(publication)
    if ", " not in publication.place:
        return publication
    place, _, publisher = publication.place.partition(", ")
    if ", " in publisher or _PLACE.fullmatch(publisher) or publisher.strip(" .[]©c?").isdigit():
        return publication
    return Publication(place, publisher)


def _place_in_front(publication: Publication) -> Publication:
    """What stands before the publisher in its own subfield goes to the place."""
    if not publication.place:
        place, mark, publisher = publication.publisher.partition(" : ")
        return Publication(place.strip(), publisher.strip()) if mark and publisher else publication
    if ".," in publication.publisher and (match := _STATE.match(publication.publisher)):
        return Publication(f"{publication.place}, {match[1]}", publication.publisher[match.end() :])
    return publication
