"""The words of codes: what `joined`, `isbn` or `halted` is called on a page. docs/istilah.md fixes the terms."""

from __future__ import annotations

from collections.abc import Callable

from harvester.i18n import N_
from harvester.web.codes import FORMS, MATERIALS

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
    "confirm": N_("confirmed as right"),
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
    "same": N_("same"),
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
    # what a run counts
    "count received": N_("received"),
    "count created": N_("new"),
    "count updated": N_("updated"),
    "count unchanged": N_("unchanged"),
    "count excluded": N_("excluded"),
    "count deleted": N_("deleted"),
    "count quarantined": N_("quarantined"),
    "cataloguing": N_("description rules"),
    "local": N_("local values"),
    "suppressed": N_("suppressed"),
    **MATERIALS,
    **FORMS,
    "interaction": N_("several features together"),
    "edition_words": N_("words of the edition"),
    "extra": N_("grade, semester, curriculum"),
    "host": N_("host"),
    "numbers": N_("numbers in the title"),
    "part_names": N_("name of the part"),
    "responsibility": N_("statement of responsibility"),
    "words": N_("words of the title"),
    # further outcomes
    "agree": N_("agree"),
    "alike": N_("alike"),
    "close": N_("close"),
    "far": N_("far apart"),
    "half": N_("half"),
    "namesake": N_("a namesake"),
    "nobody": N_("nobody named"),
    "one": N_("1 apart"),
    "two": N_("2 apart"),
    "many": N_("many differ"),
    "printing": N_("a printing"),
    "shorter": N_("one is shorter"),
    "spelling": N_("another spelling"),
    "typo": N_("a slip of the pen"),
    "variant": N_("variant"),
    "within": N_("one within the other"),
    "equal_generic": N_("same, but says little"),
    "in_title": N_("found in the title"),
    "title_only": N_("title only"),
    "short": N_("one, in a short subtitle"),
    "unsure": N_("unsure"),
    "titled": N_("the title is in the other's language"),
    "coded": N_("the coded year of the other"),
    "companion": N_("a companion of the book"),
    "set": N_("set against part"),
    "present": N_("present"),
    "romanized": N_("same, in Latin letters"),
    "first": N_("the first ones agree"),
    "other_number": N_("another number"),
    "different_early": N_("different, before ISBNs were strict"),
    "different_twice": N_("two numbers differ"),
    "different_but_other_shared": N_("different, but another number is shared"),
    "found": N_("found"),
    "body": N_("a corporate body"),
    "ending": N_("another ending"),
    "misprint": N_("a misprint"),
    "outcome extra": N_("one has words more"),  # `extra` is a feature, too
    "omission": N_("something left out"),
    # a partner's policy
    "visibility": N_("visibility"),
    "withheld": N_("withheld fields"),
    "priority": N_("priority"),
    "value_filters": N_("personal numbers are filtered"),
    "quality_floor": N_("least quality"),
    "public": N_("public"),
    "members": N_("members only"),
    # sentences of match.yaml
    "a section or supplement of a serial against the serial": N_(
        "a section or supplement of a serial against the serial"
    ),
    "a thesis by another author or at another institution": N_("a thesis by another author or at another institution"),
    "two running times": N_("two running times"),
    "serial, monograph or part of a host against another of these": N_(
        "serial, monograph or part of a host against another of these"
    ),
    "a section of a serial against the serial": N_("a section of a serial against the serial"),
    "document numbers and OCLC numbers both differ": N_("document numbers and OCLC numbers both differ"),
    "a word of another ending in the titles": N_("a word of another ending in the titles"),
    "two languages of the recording": N_("two languages of the recording"),
    "another grade, semester, curriculum, user or scale": N_("another grade, semester, curriculum, user or scale"),
    "two formats of a score": N_("two formats of a score"),
    "parts of two hosts, or two places in one host": N_("parts of two hosts, or two places in one host"),
    "two languages of the sung text": N_("two languages of the sung text"),
    "standard numbers and OCLC numbers both differ": N_("standard numbers and OCLC numbers both differ"),
    "a thesis without author or degree institution on both sides": N_(
        "a thesis without author or degree institution on both sides"
    ),
    "two sheets by their document numbers": N_("two sheets by their document numbers"),
    "two versions of the film": N_("two versions of the film"),
    "print, online, micro, braille or large print against another of these": N_(
        "print, online, micro, braille or large print against another of these"
    ),
    "two languages of the film": N_("two languages of the film"),
    "a title copied alike by two who code its language otherwise": N_(
        "a title copied alike by two who code its language otherwise"
    ),
    "publisher, pages and title agree, but not the year": N_("publisher, pages and title agree, but not the year"),
    "a part number on one side only, and other pages": N_("a part number on one side only, and other pages"),
    "a title that says little, by somebody else": N_("a title that says little, by somebody else"),
    "an ISBN, title and pages agree, so that another year is a printing": N_(
        "an ISBN, title and pages agree, so that another year is a printing"
    ),
    "another year, and nothing but the number of volumes to tell the editions apart": N_(
        "another year, and nothing but the number of volumes to tell the editions apart"
    ),
    "another author, and no pages that agree": N_("another author, and no pages that agree"),
    "another year from the same author and publisher, who has printed it again or revised it": N_(
        "another year from the same author and publisher, who has printed it again or revised it"
    ),
    "both have ISBNs and share no identifier": N_("both have ISBNs and share no identifier"),
    "different ISSNs": N_("different ISSNs"),
    "two kinds of material": N_("two kinds of material"),
    "two languages of the text": N_("two languages of the text"),
    "two edition numbers": N_("two edition numbers"),
    "print, online or micro against another of these, which one source says of nearly all its records": N_(
        "print, online or micro against another of these, which one source says of nearly all its records"
    ),
    "a book against its answer key, workbook, study guide or commentary": N_(
        "a book against its answer key, workbook, study guide or commentary"
    ),
    "two languages, one of which a source says of nearly all its records": N_(
        "two languages, one of which a source says of nearly all its records"
    ),
    "pages against another kind of material, although one source says one kind of nearly all its records": N_(
        "pages against another kind of material, although one source says one kind of nearly all its records"
    ),
    "another number in one series, and another title": N_("another number in one series, and another title"),
    "another number in one series, and a number in one title only": N_(
        "another number in one series, and a number in one title only"
    ),
    "two parts": N_("two parts"),
    "the set against one part of it": N_("the set against one part of it"),
    "two parts by name": N_("two parts by name"),
    "different numbers in the titles": N_("different numbers in the titles"),
    "several different words in the titles": N_("several different words in the titles"),
    "different words in the titles": N_("different words in the titles"),
    "a different word in the titles": N_("a different word in the titles"),
    "theses of two students": N_("theses of two students"),
    "no identifier, no author and no year": N_("no identifier, no author and no year"),
    "the name of a part on one side only, and other pages": N_("the name of a part on one side only, and other pages"),
    "the same pages from the same publisher": N_("the same pages from the same publisher"),
    "a title without an author is little evidence": N_("a title without an author is little evidence"),
    "another publisher in another place": N_("another publisher in another place"),
    "another publisher in another country": N_("another publisher in another country"),
    "another author, and minutes of another publisher's film": N_(
        "another author, and minutes of another publisher's film"
    ),
    # where a record was set aside
    "stage fetch": N_("fetching"),
    "stage split": N_("taking the file apart"),
    "stage decode": N_("reading the letters"),
    "stage parse": N_("reading the record"),
    "stage map": N_("mapping"),
    "stage load": N_("storing"),
    "stage match": N_("matching"),
    # what is doubtful or was mended in a record
    "isbn-invalid": N_("ISBN with a wrong check digit or length"),
    "issn-invalid": N_("ISSN with a wrong check digit or length"),
    "ismn-invalid": N_("ISMN with a wrong check digit or length"),
    "year-unreadable": N_("no year in the date"),
    "title-missing": N_("no title"),
    "no-title": N_("no title"),
    "mended": N_("changed by a person in quarantine"),
    "characters": N_("characters repaired"),
    "encoding": N_("encoding repaired"),
    "structure": N_("structure repaired"),
    "xml": N_("XML repaired"),
    "xmlns": N_("XML namespace repaired"),
    "ditto": N_("row that repeats the one above"),
    "no-count": N_("words where the number of copies stands"),
    "isbn-scientific": N_("ISBN that a spreadsheet had turned into a number"),
    "isbn-zero": N_("ISBN with its leading zero put back"),
    "isbn-lost": N_("ISBN that a spreadsheet has destroyed"),
    "number-text": N_("decimals taken out of a whole number"),
    "zeros": N_("leading zeros put back"),
    "decimal-comma": N_("decimal comma read"),
    "year-date": N_("year that a spreadsheet had turned into a date"),
    "became-date": N_("text that a spreadsheet has turned into a date"),
    "shared-number": N_("one number for several books"),
    "cell-error": N_("cell with an error"),
    "formula": N_("formula without a result"),
    "quotes": N_("quotation marks repaired"),
    "control-characters": N_("control characters taken out"),
    "cell-too-long": N_("text of a cell cut"),
    "too-many-cells": N_("more cells than columns"),
    # rules of survivorship
    "majority": N_("what most say"),
    "best_source": N_("the best record's"),
    "longest": N_("the longest"),
    "most_complete": N_("the most complete"),
    "newest": N_("the newest"),
    "unanimous": N_("what all say"),
    "beside": N_("of a record of another date"),
    "union": N_("all values"),
    "fill": N_("fills a gap"),
    "only": N_("the only one"),
    "single": N_("the only record"),
    # lending
    "lent": N_("is lent"),
    "on site": N_("on site only"),
    "no": N_("not lent"),
}


REPAIRS = ("characters", "encoding", "structure", "xml", "xmlns")  # what comes behind the dash says which


def sayer(gettext: Callable[[str], str], told: Callable[[str], str] = str) -> Callable[[str], str]:
    """The function that says a code in words; what has none is a sentence, for *told*, or stands for itself."""

    def say(code: str) -> str:
        if code in WORDS:
            return gettext(WORDS[code])
        if code.startswith("outcome "):
            return say(code.removeprefix("outcome "))
        head, mark, rest = code.partition(":")
        if mark and head in WORDS:
            outcome = f"outcome {rest.strip()}"
            known = WORDS.get(outcome) or WORDS.get(rest.strip())
            return f"{gettext(WORDS[head])}: {gettext(known) if known else rest.strip()}"
        family, mark, rest = code.partition("-")
        if mark and family in REPAIRS:
            return f"{gettext(WORDS[family])} ({rest})"
        return told(code) if " " in code else code.replace("_", " ")

    return say
