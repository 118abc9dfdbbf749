"""The nouns of Induk, frozen: what travels between the stages, and what stages ask of the database.

A stage takes one of these values and returns another; nothing edits its input. Everything here can be
pickled (worker processes) and encoded as JSON by msgspec (storage); defaults are left out of the JSON,
so an absent key means an empty value.

The journey: Page(HarvestedRecord…) → MarcRecord | XmlRecord → NormalizedRecord → Profile → Decision →
cluster → UnionRecord → Change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

import msgspec


class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of the stored nouns: frozen, defaults omitted in JSON."""


class Address(NamedTuple):
    """A record's address: `source/identifier`, split at the first slash.

    Identity is never the identifier alone: SLiMS installations all answer as `oai:slims/…`.
    """

    source: str
    identifier: str

    def __str__(self) -> str:
        return f"{self.source}/{self.identifier}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Split *text* at its first slash; an absent slash leaves the identifier empty."""
        source, _, identifier = text.partition("/")
        return cls(source, identifier)


# ---- who and where -----------------------------------------------------------------------------------


class Policy(Value, frozen=True):
    """What a partner allows. `withheld` names normalized fields that never leave; impression: merge|review|distinct."""

    visibility: Literal["public", "members", "withheld"] = "public"
    withheld: tuple[str, ...] = ()
    priority: int = 0
    impression: Literal["", "merge", "review", "distinct"] = ""
    value_filters: bool = True
    quality_floor: float = 0.0


class Source(Value, frozen=True):
    """One endpoint of a partner. `code` names the stream; `options` holds what only its protocol knows.

    `credentials` values are resolved secrets and never leave the process.
    """

    code: str
    protocol: str
    url: str = ""
    preset: str = "generic"
    mapping: str = ""
    metadata_prefix: str = ""
    sets: tuple[str, ...] = ()
    schedule: str = ""
    internal: bool = False
    identifier_rule: str = ""
    credentials: tuple[tuple[str, str], ...] = ()
    options: dict[str, Any] = {}


class Partner(Value, frozen=True):
    """A library of the consortium, with one or several sources."""

    code: str
    name_id: str = ""
    name_en: str = ""
    sources: tuple[Source, ...] = ()
    timezone: str = "Asia/Jakarta"
    isil: str = ""
    npp: str = ""
    type: str = ""
    region: str = ""
    group: str = ""
    contact: str = ""
    opac_url: str = ""
    lending: str = ""
    licence: str = ""
    tolerate_nights: int = 0
    policy: Policy = Policy()


# ---- harvest -----------------------------------------------------------------------------------------


class HarvestedRecord(Value, frozen=True):
    """Exactly what the partner sent for one record.

    `format` names the parser (`iso2709`, `marcxml`, `oai_dc`, `row` …); `payload` is the record's own bytes,
    without the envelope of the protocol. `datestamp` is kept as sent: never trusted, never parsed for a cursor.
    `received` is set only where `payload` had to be repaired to be readable: the bytes as they came.
    """

    identifier: str
    format: str
    payload: bytes = b""
    datestamp: str = ""
    deleted: bool = False
    sets: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    received: bytes = b""


class Damage(Value, frozen=True):
    """Something received that could not be read: kept with its bytes, stage and reason (a quarantine row)."""

    stage: Literal["fetch", "split", "decode", "parse", "map", "load", "match"]
    reason: str
    message: str
    payload: bytes = b""
    identifier: str = ""
    place: str = ""


class Window(Value, frozen=True):
    """A stretch of time (UTC, ISO 8601, inclusive) or of identifiers of one source; None means unbounded."""

    since: str | None = None
    until: str | None = None
    slice: str = ""
    token: str = ""
    pages: int = 0
    attempts: int = 0


class Page(Value, frozen=True):
    """One answer of a source: its records, what was damaged in it, and how to go on.

    `token` is what fetches the next page ("" at the end). `list_size` is the server's own count of the whole
    list, if it gave one. `server_time` is the server's clock (ISO 8601, UTC) when it answered.
    """

    records: tuple[HarvestedRecord, ...] = ()
    damages: tuple[Damage, ...] = ()
    token: str = ""
    list_size: int | None = None
    server_time: str = ""
    flags: tuple[str, ...] = ()


class Harvester(Protocol):
    """What a protocol does: yield the pages of a window, oldest state first, resuming at `window.token`.

    Raises:
        SourceUnavailable: worth another try later.
        ProtocolError: not worth another try.
    """

    def pages(self, window: Window) -> Iterator[Page]: ...


# ---- parse -------------------------------------------------------------------------------------------


class MarcRecord(msgspec.Struct, frozen=True):
    """The light MARC form: a leader and (tag, body) pairs in record order.

    The body of a control field is its text; of a data field `<ind1><ind2>\\x1f<code><text>\\x1f<code><text>…`.
    """

    leader: str
    fields: tuple[tuple[str, str], ...]
    flags: tuple[str, ...] = ()

    def bodies(self, tag: str) -> list[str]:
        """The bodies of every field *tag*, in record order."""
        return [body for name, body in self.fields if name == tag]


class XmlElement(NamedTuple):
    """One metadata element: local name, text, attributes by local name, namespace prefix as sent."""

    name: str
    text: str
    attributes: tuple[tuple[str, str], ...] = ()
    prefix: str = ""


class XmlRecord(msgspec.Struct, frozen=True):
    """The light form of flat XML (Dublin Core): elements in record order."""

    elements: tuple[XmlElement, ...]
    flags: tuple[str, ...] = ()

    def texts(self, name: str) -> list[str]:
        """The texts of every element *name* (local name), in record order."""
        return [element.text for element in self.elements if element.name == name]


class RowRecord(msgspec.Struct, frozen=True):
    """The light form of a spreadsheet row: column name → cell texts, and where it stood."""

    cells: tuple[tuple[str, tuple[str, ...]], ...]
    place: str = ""
    flags: tuple[str, ...] = ()


# ---- normalize ---------------------------------------------------------------------------------------


class Step(Value, frozen=True):
    """One step of the trace: what *rule* (file:line) did to make *output* of *input* for *field*."""

    field: str
    rule: str
    function: str
    input: str
    output: str


class Warning(Value, frozen=True):
    """A repair or a doubt about one record: a code, the field it touches, what was there."""

    code: str
    field: str = ""
    value: str = ""


class Identifier(Value, frozen=True):
    """kind: isbn issn ismn lccn oclc doi ean publisher_number govdoc handle uri local …

    `value` is canonical (ISBN-13 without hyphens). status `cancelled` ($z, $y) and `invalid` (wrong check
    digit) are kept for display and never match.
    """

    kind: str
    value: str
    qualifier: str = ""
    status: Literal["valid", "cancelled", "invalid"] = "valid"


class Title(Value, frozen=True):
    """The title proper (GMD and ISBD marks removed) and the rest of the title area.

    A remainder that is a parallel title begins with `= `.
    """

    proper: str = ""
    remainder: str = ""
    part_numbers: tuple[str, ...] = ()
    part_names: tuple[str, ...] = ()
    responsibility: str = ""
    nonfiling: int = 0
    original: str = ""  # the same in the original script (880)

    @property
    def whole(self) -> str:
        """Title proper, parts and remainder in one line: what tells the volumes of a set apart."""
        return self.with_remainder(". ".join(filter(None, [self.proper, *self.part_numbers, *self.part_names])))

    def with_remainder(self, text: str) -> str:
        """*text*, and behind it the remainder with the mark that ISBD puts between them."""
        if not (text and self.remainder):
            return text or self.remainder
        return f"{text} {self.remainder}" if self.remainder.startswith("= ") else f"{text} : {self.remainder}"


class Contributor(Value, frozen=True):
    """A person, body or meeting. role: creator, author, editor, translator, illustrator, advisor, examiner …

    `name` has honorifics and degrees taken off into `titles`; `main` marks the 1XX or first creator.
    """

    name: str
    kind: Literal["person", "body", "meeting"] = "person"
    role: str = "creator"
    dates: str = ""
    titles: str = ""
    main: bool = False
    original: str = ""


class Publication(Value, frozen=True):
    place: str = ""
    publisher: str = ""


class Dates(Value, frozen=True):
    """Years of publication: a range, its kind and certainty, the copyright year, and the text as it stood.

    kind: single, range, continuing, reprint, copyright, unknown; `year_to` 9999 means still appearing.
    """

    year_from: int | None = None
    year_to: int | None = None
    kind: str = ""
    certain: bool = True
    copyright_year: int | None = None
    original_year: int | None = None
    text: str = ""
    coded_year: int | None = None  # what a code says where a transcribed year says otherwise and is believed


class Edition(Value, frozen=True):
    """The edition statement and its number (Edisi 2 → 2); an impression (cetakan) is no edition."""

    text: str = ""
    number: int | None = None
    revised: bool = False


class Impression(Value, frozen=True):
    """The printing: Cet. 3 → 3."""

    text: str = ""
    number: int | None = None


class Extent(Value, frozen=True):
    """300 $a as text; the largest pagination; the number of volumes; height in centimetres."""

    text: str = ""
    pages: int | None = None
    volumes: int | None = None
    height: int | None = None


class Series(Value, frozen=True):
    title: str
    number: str = ""
    issn: str = ""


class Subject(Value, frozen=True):
    """kind: topic person body title place period genre keyword; scheme: lcsh, local, … or empty for free terms."""

    term: str
    kind: str = "topic"
    scheme: str = ""


class Classification(Value, frozen=True):
    """scheme: ddc udc lcc nlm sudoc islam (the local 2X0) local; `mark` is the author mark behind the number."""

    scheme: str
    value: str
    mark: str = ""


class Note(Value, frozen=True):
    kind: str
    text: str


class Link(Value, frozen=True):
    """access: open, licensed, unknown; only http(s) addresses come here."""

    url: str
    label: str = ""
    access: str = "unknown"


class Relation(Value, frozen=True):
    """relation: one of the words of MARC 21's 76X-78X; a host has the part's place in `part`.

    host, constituent, main_series, subseries, original, translation, supplement, supplement_parent, other_edition,
    other_form, issued_with, preceding, succeeding, data_source, other.

    `control_number` as the source writes it, with the organization's code in parentheses where it gives one; `further`
    are the other control numbers of the same record.
    """

    relation: str
    title: str = ""
    identifiers: tuple[Identifier, ...] = ()
    part: str = ""
    control_number: str = ""
    further: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every control number of the record that is meant."""
        return (self.control_number, *self.further) if self.control_number else self.further


class Thesis(Value, frozen=True):
    degree: str = ""
    institution: str = ""
    faculty: str = ""
    year: int | None = None
    student_id: str = ""


class Holding(Value, frozen=True):
    """One holding of the partner; every active member yields at least one.

    `copies` None means unknown; `lending`: lent, on site, no, or "" where the partner has no policy;
    `as_of` is the date (ISO 8601) to which the statement refers.
    """

    branch: str = ""
    collection: str = ""
    call_number: str = ""
    copies: int | None = None
    items: tuple[str, ...] = ()
    shelving: str = ""
    lending: str = ""
    serial_statement: str = ""
    url: str = ""
    access_note: str = ""
    as_of: str = ""


class NormalizedRecord(Value, frozen=True):
    """One record in our own fields: what every format becomes.

    material: book, thesis, serial, article, part, score, recording, video, map, electronic, manuscript,
    schoolbook, image, object, kit, other. carrier_form: print, online, electronic, micro, braille, large_print, "".
    """

    material: str = "book"
    carrier_form: str = ""
    level: str = ""
    identifiers: tuple[Identifier, ...] = ()
    title: Title = Title()
    variant_titles: tuple[str, ...] = ()
    uniform_title: str = ""
    contributors: tuple[Contributor, ...] = ()
    publications: tuple[Publication, ...] = ()
    dates: Dates = Dates()
    edition: Edition = Edition()
    impression: Impression = Impression()
    extent: Extent = Extent()
    series: tuple[Series, ...] = ()
    languages: tuple[str, ...] = ()
    original_languages: tuple[str, ...] = ()
    country: str = ""
    content_types: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    carrier_types: tuple[str, ...] = ()
    subjects: tuple[Subject, ...] = ()
    classifications: tuple[Classification, ...] = ()
    notes: tuple[Note, ...] = ()
    abstract: str = ""
    contents: str = ""
    audience: str = ""
    frequency: str = ""
    scale: str = ""
    score_format: str = ""
    playing_time: str = ""
    links: tuple[Link, ...] = ()
    relations: tuple[Relation, ...] = ()
    thesis: Thesis | None = None
    holdings: tuple[Holding, ...] = ()
    control_number: str = ""
    control_agency: str = ""
    updated: str = ""  # the record's own change date (005 or DC date of change), ISO 8601; never arrival time
    cataloguing: str = ""  # description rules: aacr, rda, isbd
    local: tuple[tuple[str, str], ...] = ()  # patterns taken out of values: nim, nidn, kodeprodi …
    suppressed: bool = False


class Normalized(Value, frozen=True):
    """What normalize returns for one record: the record, its warnings and, when asked for, its trace."""

    record: NormalizedRecord
    warnings: tuple[Warning, ...] = ()
    trace: tuple[Step, ...] = ()


# ---- match -------------------------------------------------------------------------------------------


class Profile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What matching needs of a record, flat and small; equal profiles are one node.

    Sets are sorted tuples so that equal profiles encode to equal bytes. Missing is 0, "" or ().
    "Spelled" words are folded, romanized and in the key of old and new spelling (text.old_spelling).
    """

    material: str = "book"
    level: str = ""  # monograph, serial, part, collection or ""
    form: str = ""  # carrier_form
    thin: bool = False  # no identifier, no author and no year: never merges by itself
    isbns: tuple[str, ...] = ()
    issns: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()  # kind:value of every further standard number, lccn among them
    documents: tuple[str, ...] = ()  # numbers of official documents
    oclcs: tuple[str, ...] = ()
    proper: str = ""  # folded $a without a leading article
    title: str = ""  # folded $a $b without a leading article
    words: tuple[str, ...] = ()  # spelled significant words of $a $b, in order, numbers and parts taken out
    numbers: tuple[str, ...] = ()  # other numbers of the title
    parts: tuple[str, ...] = ()  # part numbers, in arabic digits
    part_names: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()  # folded variant, uniform and original titles
    skeleton: str = ""  # consonants of an Arabic title, equal in script and in every romanization
    generic: bool = False  # a title that says little: Matematika, Report, Poems
    author: tuple[str, ...] = ()  # spelled words of the first author's name
    entry: tuple[str, ...] = ()  # those before the comma; all longer than two letters where there is none
    author_kind: str = ""  # person, body, meeting
    born: int = 0
    names: tuple[str, ...] = ()  # spelled words of every name, sorted
    responsibility: tuple[str, ...] = ()  # spelled significant words of the statement of responsibility, sorted
    year: int = 0
    year_to: int = 0  # end of an uncertain or open range
    years: tuple[int, ...] = ()  # every year of publication, copyright, original
    country: str = ""
    place: str = ""
    publisher: tuple[str, ...] = ()  # significant words, sorted
    pages: int = 0
    volumes: int = 0
    height: int = 0
    edition: int = 0
    edition_words: tuple[str, ...] = ()
    impression: int = 0
    series: tuple[str, ...] = ()
    series_numbers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    institution: tuple[str, ...] = ()
    degree: str = ""
    student: str = ""
    host: str = ""
    host_part: str = ""
    score_format: str = ""
    extra: tuple[str, ...] = ()  # kind:value of further marks: grade, semester, curriculum, user (siswa, guru), scale
    present: int = 0  # which fields are there, one bit each (match.comparing)
    open_at: int = 0  # words of the title before its first mark of omission
    minutes: int = 0  # playing time of a film or recording
    assumed: bool = False  # nearly every record of its source is of this material: no evidence
    form_assumed: bool = False  # nearly every record of its source is of this form
    coded_year: int = 0  # the year of the code, where the transcribed one differs from it
    language_assumed: bool = False  # nearly every record of its source is in these languages


class BlockingKey(NamedTuple):
    """*hash* is signed 64-bit; *kind* names the recipe; *likeness* tells unlike carriers of the key apart."""

    kind: str
    hash: int
    likeness: int


class Evidence(Value, frozen=True, gc=False):
    """One line of an explanation: the outcome of comparing one feature and the points it gave."""

    feature: str
    left: str
    right: str
    outcome: str
    points: float


Verdict = Literal["merge", "review", "distinct", "veto"]


class Decision(Value, frozen=True, gc=False):
    """The verdict on a pair with the score behind it; `reason` is the veto or the top evidence."""

    verdict: Verdict
    score: float
    reason: str = ""
    evidence: tuple[Evidence, ...] = ()


# ---- merge and feed ----------------------------------------------------------------------------------


class Survivor(Value, frozen=True):
    """One value of a merged record, who gave it (a record address) and which rule chose it."""

    field: str
    donor: str
    rule: str
    value: str = ""


class UnionRecord(Value, frozen=True):
    """The merged record of a cluster: the surviving values and the donor of each."""

    record: NormalizedRecord
    survivors: tuple[Survivor, ...] = ()
    members: tuple[str, ...] = ()


class Change(Value, frozen=True):
    """One line of the feed. Numbers follow commit order without gaps; `batch` is the last number of its batch."""

    seq: int
    batch: int
    kind: Literal["upsert", "delete", "redirect"]
    cluster: str
    target: str = ""
    at: str = ""


class Member(Value, frozen=True):
    """A record as merge and outputs see it."""

    address: Address
    record: NormalizedRecord
    priority: int = 0
    datestamp: str = ""
    visible: bool = True
    withheld: tuple[str, ...] = ()

    def shown(self) -> NormalizedRecord:
        """The record without what its partner withholds; `holdings.copies` blanks that part of every holding.

        Raises:
            AttributeError: a withheld name is no field: a mistyped policy must not leak.
        """
        record = self.record
        for name in self.withheld:
            field, _, part = name.partition(".")
            value = getattr(record, field)
            blank = _without(value, part) if part else getattr(NormalizedRecord(), field)
            record = msgspec.structs.replace(record, **{field: blank})
        return record


def _without(value: Any, part: str) -> Any:
    if isinstance(value, tuple):
        return tuple(_without(single, part) for single in value)
    if value is None:
        return None
    blank = {str: "", tuple: (), bool: False}.get(type(getattr(value, part)))
    return msgspec.structs.replace(value, **{part: blank})


class Pin(Value, frozen=True):
    """A cataloguer's choice for one field of a cluster: the value of one *donor* (an address), or a typed one.

    `value` is plain JSON of the field's type. `seen` is the fingerprint of the donor's value when it was pinned;
    a different one later is shown as a warning.
    """

    field: str
    donor: str = ""
    value: Any = None
    author: str = ""
    seen: str = ""


class ClusterDocument(Value, frozen=True):
    """A cluster as outputs see it: the union record and its members, ordered by address.

    Invisible members and withheld fields may still be in it: `outputs.privacy.release` takes them out. `created`
    and `changed` are times of ours (ISO 8601, UTC): when the id was given, when the document last changed. `linked`
    are the clusters that members name by control numbers: address → number → cluster.
    """

    cluster: str
    union: UnionRecord
    members: tuple[Member, ...] = ()
    created: str = ""
    changed: str = ""
    linked: Mapping[str, Mapping[str, str]] = {}


class Touch(Value, frozen=True):
    """The last change of a cluster: its number and time, whether it lives, whose records it holds or once held.

    `partners` are partner codes now, `once` those that had a (visible) record in it at any time.
    """

    cluster: str
    seq: int
    at: str
    deleted: bool = False
    partners: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    material: str = ""


class Catalogue(Protocol):
    """What outputs ask of the database; one object reads one snapshot, so that its answers agree.

    Cluster ids are texts outside, ordered as numbers inside.
    """

    epoch: str
    released: int  # the last change number that consumers may see
    kept_since: int  # the first change number still in the feed; an older position must start again

    def changes(self, since: int, limit: int = 1000) -> Sequence[Change]:
        """Released changes after *since* in order, about *limit*; the last one ends its batch."""
        ...

    def documents(self, clusters: Sequence[str]) -> dict[str, ClusterDocument]:
        """The documents of living clusters; a deleted, redirected or unknown id is absent."""
        ...

    def pages(self, size: int = 500) -> Iterator[Sequence[ClusterDocument]]:
        """Every living cluster in the order of its id, in pages."""
        ...

    def touched(self, since: str, until: str, partner: str, material: str, after: int, limit: int) -> Sequence[Touch]:
        """The last change of each cluster with *since* <= at <= *until* ("" unbounded) and seq > *after*, by seq.

        *partner* ("" any) keeps clusters that hold or once held a record of it; *material* ("" any) those of that
        class. Deleted and redirected clusters are `deleted`.
        """
        ...

    def touch(self, cluster: str) -> Touch | None:
        """The last change of one cluster, living or not; None if there never was one."""
        ...

    def partners(self) -> Sequence[Partner]:
        """Every partner, without credentials."""
        ...


class Clock(Protocol):
    """The one source of time: aware UTC, and a monotonic counter in seconds."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


Batch = Sequence[HarvestedRecord]
