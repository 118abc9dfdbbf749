"""ISBNs and ISSNs of the sample, as partners write them: 10 or 13 digits, hyphens, or a wrong check digit."""

from __future__ import annotations

BOGUS = "9780000000002"  # passes its check digit and is the commonest wrong ISBN


def isbn(text: str | None) -> str | None:
    """The hyphenated ISBN-10 that *text* stands for: a real one, or `group~number`, made up at the top of the group."""
    if not text or "~" not in text:
        return text or None
    group, _, number = text.partition("~")
    width = 9 - len(group)
    body = f"{10**width - 1000 + int(number)}"
    return f"{group}-{body[:-1]}-{body[-1]}-{check10(group + body)}"


def issn(text: str | None) -> str | None:
    """The ISSN that *text* stands for; `~n` is made up."""
    if not text:
        return None
    body = f"9999{int(text.removeprefix('~')):03d}"
    rest = -sum(int(digit) * weight for digit, weight in zip(body, range(8, 1, -1), strict=True)) % 11
    return f"{body[:4]}-{body[4:]}{'X' if rest == 10 else rest}"


def check10(body: str) -> str:
    """The check digit of nine ISBN-10 digits."""
    rest = -sum(int(digit) * weight for digit, weight in zip(body, range(10, 1, -1), strict=True)) % 11
    return "X" if rest == 10 else str(rest)


def thirteen(hyphened: str) -> str:
    """ISBN-13 with hyphens of a hyphenated ISBN-10."""
    body = "978-" + hyphened[:-1]
    digits = body.replace("-", "")
    rest = -sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(digits)) % 10
    return f"{body}{rest}"


def plain(number: str) -> str:
    """*number* without hyphens."""
    return number.replace("-", "")


def wrong(number: str) -> str:
    """*number* with a typing mistake: two neighbours changed places, so that its check fails."""
    digits = list(plain(number))
    for place in range(4, len(digits) - 2):
        if digits[place] != digits[place + 1]:
            digits[place], digits[place + 1] = digits[place + 1], digits[place]
            break
    return "".join(digits)
