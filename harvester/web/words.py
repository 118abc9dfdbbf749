"""The words of codes: what `joined`, `isbn` or `halted` is called on a page. docs/istilah.md fixes the terms."""

from __future__ import annotations

from collections.abc import Callable


def N_(text: str) -> str:
    """Marks a text for translation."""
    return text


WORDS: dict[str, str] = {
    # lines of the merge log
    "born": N_("new"),
    "joined": N_("joined"),
    "merged": N_("merged"),
    "moved": N_("moved"),
    "left": N_("left"),
    "split": N_("split"),
    "gone": N_("deleted"),
    "returned": N_("returned"),
    "linked": N_("linked by a person"),
    "undone": N_("undone"),
    "pinned": N_("pinned"),
    "unpinned": N_("unpinned"),
    "pin_changed": N_("pinned value changed at its source"),
    # people's decisions
    "merge": N_("merge"),
    "never": N_("never together"),
    "must": N_("always together"),
    "undo": N_("undo"),
    "undo_member": N_("take one out"),
    "undo_events": N_("undo lines of the log"),
    "undo_run": N_("undo a run"),
    "apart": N_("keep apart"),
    "pin": N_("pin"),
    "unpin": N_("unpin"),
    "wrong": N_("wrong identifier"),
    "import": N_("import"),
    # verdicts
    "review": N_("doubtful"),
    "distinct": N_("distinct"),
    "veto": N_("must not merge"),
    "running": N_("running"),
    "complete": N_("complete"),
    "partial": N_("partial"),
    "halted": N_("halted"),
    "failed": N_("failed"),
    "proven": N_("proven"),
    "claimed": N_("claimed"),
    # runs
    "harvest": N_("harvest"),
    "match": N_("match"),
    "normalize": N_("normalize"),
    "publish": N_("publish"),
    "audit": N_("audit"),
    "edit": N_("edit"),
    "decide": N_("decision"),
    # states
    "active": N_("active"),
    "deleted": N_("deleted"),
    "pending": N_("pending"),
    "paused": N_("paused"),
    "retired": N_("retired"),
    "open": N_("open"),
    "resolved": N_("resolved"),
    "ignored": N_("ignored"),
    "settled": N_("settled"),
    "upsert": N_("written"),
    "delete": N_("deleted"),
    "redirect": N_("leads to another"),
    "accepted": N_("accepted"),
    "repaired": N_("repaired"),
    "quarantined": N_("quarantined"),
    # roles
    "viewer": N_("viewer"),
    "cataloguer": N_("cataloguer"),
    "partner": N_("partner"),
    "admin": N_("administrator"),
    # outcomes of comparisons
    "missing": N_("missing"),
    "equal": N_("same"),
    "shared": N_("same"),
    "rare": N_("same, rare"),
    "near": N_("nearly the same"),
    "similar": N_("similar"),
    "one_side": N_("on one side only"),
    "different": N_("different"),
    "contained": N_("one contains the other"),
    "swapped": N_("in another order"),
    "overlap": N_("partly the same"),
    "conflict": N_("contradiction"),
    "off_by_one": N_("1 apart"),
    # features and fields
    "isbn": N_("ISBN"),
    "issn": N_("ISSN"),
    "oclc": N_("OCLC number"),
    "standard_number": N_("other standard number"),
    "document_number": N_("document number"),
    "title": N_("title"),
    "author": N_("author"),
    "year": N_("year"),
    "publisher": N_("publisher"),
    "place": N_("place"),
    "pages": N_("pages"),
    "volumes": N_("volumes"),
    "height": N_("height"),
    "edition": N_("edition"),
    "impression": N_("impression"),
    "series": N_("series"),
    "language": N_("language"),
    "country": N_("country"),
    "material": N_("material"),
    "form": N_("carrier"),
    "level": N_("level"),
    "thesis": N_("thesis"),
    "student": N_("student number"),
    "thin": N_("thin record"),
    "parts": N_("part"),
    "score_format": N_("score format"),
    "carrier_form": N_("carrier"),
    "identifiers": N_("identifiers"),
    "variant_titles": N_("variant titles"),
    "uniform_title": N_("uniform title"),
    "contributors": N_("names"),
    "publications": N_("publication"),
    "dates": N_("dates"),
    "extent": N_("extent"),
    "languages": N_("languages"),
    "original_languages": N_("original languages"),
    "content_types": N_("content type"),
    "media_types": N_("media type"),
    "carrier_types": N_("carrier type"),
    "subjects": N_("subject headings"),
    "classifications": N_("classification"),
    "notes": N_("notes"),
    "abstract": N_("abstract"),
    "contents": N_("contents"),
    "audience": N_("audience"),
    "frequency": N_("frequency"),
    "scale": N_("scale"),
    "playing_time": N_("playing time"),
    "links": N_("links"),
    "relations": N_("relations"),
    "holdings": N_("holdings"),
    "control_number": N_("control number"),
    "control_agency": N_("control agency"),
    "updated": N_("changed by the partner"),
    "cataloguing": N_("description rules"),
    "local": N_("local values"),
    "suppressed": N_("suppressed"),
    # material
    "book": N_("book"),
    "serial": N_("serial"),
    "article": N_("article"),
    "part": N_("part"),
    "score": N_("score"),
    "recording": N_("recording"),
    "video": N_("video"),
    "map": N_("map"),
    "electronic": N_("electronic"),
    "manuscript": N_("manuscript"),
    "schoolbook": N_("schoolbook"),
    "image": N_("image"),
    "object": N_("object"),
    "kit": N_("kit"),
    "other": N_("other"),
    # rules of survivorship
    "majority": N_("what most say"),
    "best_source": N_("the best record's"),
    "longest": N_("the longest"),
    "most_complete": N_("the most complete"),
    "newest": N_("the newest"),
    "unanimous": N_("what all say"),
    "union": N_("all values"),
    "fill": N_("fills a gap"),
    "only": N_("the only one"),
    "single": N_("the only record"),
    # lending
    "lent": N_("is lent"),
    "on site": N_("on site only"),
    "no": N_("not lent"),
}


def sayer(gettext: Callable[[str], str]) -> Callable[[str], str]:
    """The function that says a code in words; a code without words stands for itself."""

    def say(code: str) -> str:
        if code in WORDS:
            return gettext(WORDS[code])
        head, mark, rest = code.partition(":")
        if mark and head in WORDS:
            return f"{gettext(WORDS[head])}: {gettext(WORDS[rest.strip()]) if rest.strip() in WORDS else rest.strip()}"
        return code.replace("_", " ")

    return say


MESSAGES = (
    N_("wrong name or password"),
    N_("too many failed log-ins; try again in a quarter of an hour"),
    N_("no such record"),
    N_("no file was sent"),
    N_("say why: a decision without a reason helps nobody later"),
    N_("there is nothing to split off: name some members, not all or none"),
    N_("there is nothing to merge: name two clusters, or a record of each"),
    N_("the record stands alone already"),
    N_("nothing of it can be undone"),
)


def message(gettext: Callable[[str], str], text: str) -> str:
    """An error's message, in the language of the page where we have it."""
    return gettext(text) if text in MESSAGES else text
