"""What a person had typed into a form that was refused: shown again, to be mended and sent once more."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import UploadFile

from harvester.i18n import N_
from harvester.web.visit import Visit, clean

LABELS = {
    "reason": N_("Reason"),
    "remark": N_("What is wrong?"),
    "other": N_("other cluster or record"),
    "value": N_("value"),
    "identifier": N_("wrong identifier"),
    "label": N_("What is it for?"),
    "name": N_("Name"),
    "password": N_("Password"),
    "old": N_("Present password"),
    "new": N_("New password"),
    "file": N_("File (.xlsx, .csv; also .mrc, .xml)"),
}
LONG = ("reason", "remark")
SECRET = ("password", "old", "new")


class Typed(NamedTuple):
    """A field of the form: its `kind` is hidden, text, long, password or file; a password is never shown again."""

    name: str
    kind: str
    label: str
    value: str


def typed(visit: Visit) -> list[Typed]:
    """The fields of a form that came from a page of ours; of one from elsewhere nothing is shown."""
    if not visit.form or visit.by_token or not _ours(visit):
        return []
    pairs = visit.form.multi_items() if hasattr(visit.form, "multi_items") else visit.form.items()
    return [_field(visit, name, value) for name, value in pairs if name != "csrf"]


def _ours(visit: Visit) -> bool:
    origin = visit.request.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == visit.request.headers.get("host", "")


def _field(visit: Visit, name: str, value: str | UploadFile) -> Typed:
    label = visit.gettext(LABELS[name]) if name in LABELS else ""
    if isinstance(value, UploadFile):
        return Typed(name, "file", label or name, "")
    if name in SECRET:
        return Typed(name, "password", label, "")
    kind = "long" if name in LONG else "text" if label else "hidden"
    return Typed(clean(name), kind, label, clean(value))
