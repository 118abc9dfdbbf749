"""located_holdings."""

from __future__ import annotations

from harvester.model import Holding
from harvester.normalize.field import Field
from harvester.normalize.functions import functions


@functions.register("located_holdings")
def located_holdings(*, locations: list[Field], statements: list[Field]) -> list[Holding]:
    """The holdings of 852 with the serial statements of 866-868; statements alone make one holding.

    >>> made = located_holdings(locations=[Field.of("852", "  ", "$aUI$bPusat$h297.5$iSHI t")], statements=[])
    >>> made[0].branch, made[0].call_number
    ('UI, Pusat', '297.5 SHI t')
    """
    told = "; ".join(text for field in statements for text in field.all("a"))
    holdings = []
    for field in locations:
        url = next((text for text in field.texts("u") if text.startswith(("http://", "https://"))), "")
        holdings.append(
            Holding(
                branch=", ".join(field.all("ab")),
                collection=", ".join(field.all("c")),
                call_number=" ".join(field.all("khijlm")),
                items=tuple(field.texts("p")),
                serial_statement=told,
                url=url,
                access_note="; ".join(field.all("z")),
            )
        )
    if not holdings and told:
        holdings.append(Holding(serial_statement=told))
    return [one for one in holdings if one != Holding()]
