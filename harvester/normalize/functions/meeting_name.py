"""meeting_name."""

from __future__ import annotations

from harvester.normalize.functions import functions


@functions.register("meeting_name")
def meeting_name(values: list[str]) -> str:
    """The name of a meeting with number, date and place behind it in brackets, as a heading shows them.

    >>> meeting_name(["Theory of Cryptography Conference", "(5th :", "2008 :", "New York, N.Y.)"])
    'Theory of Cryptography Conference (5th : 2008 : New York, N.Y.)'
    >>> meeting_name(["Simposium Nasional Hukum Adat"]), meeting_name([])
    ('Simposium Nasional Hukum Adat', '')
    """
    if len(values) < 2:
        return "".join(values)
    rest = [part for value in values[1:] if (part := value.strip(" :;,()").strip())]
    return f"{values[0].rstrip(' .,:;(')} ({' : '.join(rest)})" if rest else values[0]
