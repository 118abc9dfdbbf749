"""Line MARC: a field a line, as MarcEdit (.mrk), yaz-marcdump and people write it → the light MARC form.

`=245  10$aTitle$bRest`, `245 10 $aTitle` and yaz's `245 10 $a Title $b Rest` are all read; `\\` is a blank indicator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harvester.errors import RecordError
from harvester.formats import formats
from harvester.formats.encodings import decode_text
from harvester.formats.light import DELIMITER, LightMarc, indicators, is_control, normal_leader
from harvester.formats.span import CHUNK, MAX_RECORD, Bytes, Piece, Span, as_stream, damages
from harvester.model import MarcRecord

MAX_FIELDS = 20_000
_LEADER = re.compile(r"(?:=?(?:LDR|LEADER|000)\s{1,2})(?P<leader>.*)|(?P<bare>[0-9 ]{5}[a-z].{18})")
_FIELD = re.compile(r"=?(?P<tag>[0-9A-Za-z]{3})(?:\s{1,2}(?P<rest>.*))?")
_MARKS = re.compile(r"(?P<marks>[0-9a-z \\#_]{2})\s?(?=[$‡|])|(?=[$‡|])")
_MNEMONIC = re.compile(r"\{(dollar|lcub|rcub|bsol|esc)\}")
_CHARACTERS = {"dollar": "$", "lcub": "{", "rcub": "}", "bsol": "\\", "esc": ""}
_MNEMONICS = {"$": "{dollar}", "{": "{lcub}", "}": "{rcub}", "\n": " ", "\r": " "}
_SPECIAL = re.compile(r"[${}\n\r]")
_BLANK_LINE = re.compile(rb"\r?\n[ \t]*\r?\n|\r[ \t]*\r(?!\n)")


@formats.register("line_marc")
def parse(payload: bytes) -> LightMarc:
    """The light form of one record.

    Raises:
        RecordError: no line of it is a field (stage parse).
    """
    text, flags = decode_text(payload.removeprefix(b"\xef\xbb\xbf"))
    done = dict.fromkeys(flags)
    leader, fields = "", []
    for line in _lines(text):
        head = _LEADER.fullmatch(line)
        if head and not leader:
            leader = (head["leader"] or head["bare"] or "").replace("\\", " ")
            continue
        field = _field(line, done)
        if field is not None:
            fields.append(field)
    if not fields:
        raise RecordError("No line of it is a MARC field such as =245  10$aTitle.", reason="no-record")
    if len(fields) > MAX_FIELDS:
        raise RecordError(f"The record has more than {MAX_FIELDS:,} fields.", reason="bounds")
    if len(leader) != 24:
        done["structure:leader"] = None
        leader = normal_leader(leader) if leader else ""
    return LightMarc(leader, tuple(fields), tuple(done))


def split(source: Bytes) -> Iterator[Piece]:
    """The bytes of each record of a file; a blank line stands between two."""
    stream = as_stream(source)
    buffer, offset, done = b"", 0, False
    while not done:
        chunk = stream.read(CHUNK)
        done = not chunk
        buffer += chunk
        position = 0
        for match in _BLANK_LINE.finditer(buffer, 0, len(buffer) if done else max(0, len(buffer) - 8)):
            yield from _piece(buffer[position : match.start()], offset + position)
            position = match.end()
        if done or len(buffer) - position > MAX_RECORD:
            yield from _piece(buffer[position:], offset + position)
            position = len(buffer)
        buffer, offset = buffer[position:], offset + position


def write(record: MarcRecord) -> str:
    """*record* in MarcEdit's form, with a blank line behind it."""
    lines = [f"=LDR  {record.leader}"]
    for tag, body in record.fields:
        if is_control(tag):
            lines.append(f"={tag}  {_escaped(body)}")
            continue
        parts = body.partition(DELIMITER)[2]
        coded = "".join(f"${_escaped(part)}" for part in parts.split(DELIMITER)) if parts else ""
        marks = indicators(body).replace(" ", "\\")
        lines.append(f"={tag}  {marks}{coded}")
    return "\n".join(lines) + "\n\n"


def _piece(raw: bytes, offset: int) -> Iterator[Piece]:
    if not raw.strip(b"\xef\xbb\xbf\x00\x1a\r\n\t "):
        return
    if len(raw) > MAX_RECORD:
        yield from damages(offset, raw, "oversized", f"No blank line ends a record within {MAX_RECORD:,} bytes.")
        return
    yield Span(offset, raw)


def _lines(text: str) -> list[str]:
    """The lines of fields; a line that begins no field continues the one before."""
    lines: list[list[str]] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line.strip():
            continue
        if lines and not line.startswith("=") and not (_FIELD.fullmatch(line) and line[3:4] in ("", " ")):
            lines[-1].append(line.strip())
        else:
            lines.append([line])
    return [" ".join(parts) for parts in lines]


def _field(line: str, flags: dict[str, None]) -> tuple[str, str] | None:
    match = _FIELD.fullmatch(line)
    if match is None:
        flags["structure:line"] = None
        return None
    tag, rest = match["tag"], match["rest"] or ""
    if is_control(tag):
        return tag, _plain(rest.replace("\\", " "))
    marks = _MARKS.match(rest)
    if marks is None:
        flags[f"structure:no-subfield:{tag}"] = None
        return tag, "  " + _plain(rest)
    first = (marks["marks"] or "  ").replace("\\", " ").replace("_", " ")
    sign = rest[marks.end()]
    parts = rest[marks.end() + 1 :].split(sign)
    # yaz writes "$a Title $b Rest": blanks that belong to its layout, not to the text.
    spaced = sign == "$" and all(part[1:2] == " " for part in parts)
    texts = [(part[:1], part[2:].removesuffix(" ") if spaced else part[1:]) for part in parts]
    return tag, first + "".join(f"{DELIMITER}{code}{_plain(text)}" for code, text in texts)


def _plain(text: str) -> str:
    return _MNEMONIC.sub(lambda match: _CHARACTERS[match[1]], text)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: _MNEMONICS[match[0]], text)
