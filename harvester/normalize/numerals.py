"""Numbers as catalogues write them: digits, Roman numerals, ordinal words of several languages."""

from __future__ import annotations

import re

_WORDS = {
    1: "satu pertama kesatu perdana first one erste ersten premier premiere première eerste الأولى الاولى ūlá ula"
    " primera prima första første ensimmäinen первое",
    2: "dua kedua second two zweite zweiten deuxieme deuxième tweede الثانية thāniyah tsaniyah"
    " segunda seconda andra anden annen toinen второе",
    3: "tiga ketiga third three dritte troisieme troisième derde الثالثة thālithah tsalitsah"
    " tercera terza tredje kolmas третье",
    4: "empat keempat fourth four vierte quatrieme quatrième vierde cuarta quarta fjärde fjerde neljäs четвертое",
    5: "lima kelima fifth five fünfte cinquieme cinquième vijfde quinta femte viides пятое",
    6: "enam keenam sixth six sechste sixième zesde sexta sjätte sjette kuudes шестое",
    7: "tujuh ketujuh seventh seven siebte septième zevende",
    8: "delapan kedelapan eighth eight achte huitième achtste",
    9: "sembilan kesembilan ninth nine neunte neuvième negende",
    10: "sepuluh kesepuluh tenth ten zehnte dixième tiende",
    11: "sebelas kesebelas eleventh eleven elfte",
    12: "twelfth twelve zwölfte",
}
WORDS = {word: number for number, text in _WORDS.items() for word in text.split()}
ROMAN = r"(?=[IVXLC])(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
_TOKEN = re.compile(r"[0-9]+|[^\W\d_]+")
_ROMAN = re.compile(r"(?=[ivxlc])(?:c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})", re.IGNORECASE)


def roman(text: str) -> int | None:
    """The value of a Roman numeral below 400; None when *text* is none."""
    if not text or not _ROMAN.fullmatch(text):
        return None
    values = [_VALUES[c] for c in text.lower()]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))


def number_of(token: str) -> int | None:
    """The number that one *token* stands for; None when it stands for none."""
    if token.isdecimal():
        return int(token) if len(token) <= 6 else None
    word = token.casefold()
    if word in WORDS:
        return WORDS[word]
    return roman(token)


def number_in(text: str) -> int | None:
    """The first number in *text*; digits win over Roman numerals and words."""
    if text.isdecimal() and text.isascii():
        return number_of(text)
    tokens = _TOKEN.findall(text)
    for token in tokens:
        if token.isdecimal():
            return number_of(token)
    return next((number for token in tokens if (number := number_of(token)) is not None), None)
