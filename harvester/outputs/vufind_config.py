"""The parts of VuFind's configuration that fit the documents of solr: searches.ini, datasources.ini, facets.ini."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harvester.model import Partner
from harvester.outputs.batch import institution


def vufind_config(partners: Iterable[Partner]) -> Mapping[str, str]:
    """File name → text. Sources stand by the partners' priority, highest first: VuFind shows the first it finds."""
    shown = [one for one in partners if one.policy.visibility == "public"]
    shown.sort(key=lambda one: (-one.policy.priority, one.code))
    sources = [(source.code, one) for one in shown for source in one.sources]
    return {
        "searches.ini": _searches([code for code, _ in sources]),
        "datasources.ini": "\n".join(_datasource(code, one) for code, one in sources),
        "facets.ini": "[Results]\ninstitution = Institution\nbuilding = Library\nformat = Format\n\n"
        "[SpecialFacets]\nhierarchical[] = building\n",
    }


def _searches(codes: Iterable[str]) -> str:
    return f'[Records]\ndeduplication = true\nsources = "{",".join(codes)}"\n'


def _datasource(code: str, partner: Partner) -> str:
    return f"[{code}]\ninstitution = {_quoted(institution(partner))}\n"


def _quoted(text: str) -> str:
    """*text* as a value of an INI file of PHP, which knows no escape for a quote."""
    clean = "".join(character for character in text if character >= " " and character not in '"\\$')
    return f'"{clean}"'
