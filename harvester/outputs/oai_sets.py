"""The sets of the OAI-PMH repository: partner:<code>, group:<name>, material:<class>."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harvester.model import Partner, Touch
from harvester.outputs.batch import institution

_MATERIALS = (
    "book thesis serial article part score recording video map electronic manuscript schoolbook image object kit other"
)
MATERIALS = tuple(_MATERIALS.split())
_UNSAFE = re.compile(r"[^A-Za-z0-9_.!~*'()-]")


class Sets:
    """Which sets there are, and which of them a cluster is or once was in."""

    def __init__(self, partners: Iterable[Partner]) -> None:
        self._partners = {one.code: one for one in partners if one.policy.visibility == "public"}

    def listed(self) -> list[tuple[str, str]]:
        """(setSpec, name) of every set, parents first."""
        rows = [("partner", "Records by holding library"), ("material", "Records by material")]
        rows += [(f"partner:{code}", institution(one)) for code, one in sorted(self._partners.items())]
        groups = sorted({one.group for one in self._partners.values() if one.group})
        rows += [("group", "Records by group of libraries")] if groups else []
        rows += [(f"group:{_slug(group)}", group) for group in groups]
        return rows + [(f"material:{name}", name) for name in MATERIALS]

    def exists(self, spec: str) -> bool:
        """Whether *spec* is one of the sets."""
        return spec in {known for known, _ in self.listed()}

    def filters(self, spec: str) -> tuple[str, str]:
        """(partner, material) by which the catalogue can narrow the set down."""
        kind, _, name = spec.partition(":")
        return (name if kind == "partner" else ""), (name if kind == "material" else "")

    def holds(self, touch: Touch, spec: str) -> bool:
        """Whether the cluster is in the set now."""
        return self._among(touch.partners, touch.material, spec)

    def held(self, touch: Touch, spec: str) -> bool:
        """Whether it once was: then the set tells that it is gone. Of a deleted cluster all sets tell it."""
        return touch.deleted or self._among((*touch.partners, *touch.once), touch.material, spec)

    def _among(self, codes: Iterable[str], material: str, spec: str) -> bool:
        kind, _, name = spec.partition(":")
        if not name:
            return True
        if kind == "material":
            return material == name
        if kind == "group":
            return any(_slug(self._partners[code].group) == name for code in codes if code in self._partners)
        return name in codes

    def of(self, touch: Touch) -> list[str]:
        """The sets of a cluster, as its header names them."""
        known = [self._partners[code] for code in touch.partners if code in self._partners]
        groups = sorted({_slug(one.group) for one in known if one.group})
        material = [f"material:{touch.material}"] if touch.material in MATERIALS else []
        return [*(f"partner:{one.code}" for one in known), *(f"group:{group}" for group in groups), *material]


def _slug(group: str) -> str:
    """A group's name as part of a setSpec."""
    return _UNSAFE.sub("_", group)
