"""Extensions by name: one file in a folder, one name, no list elsewhere to extend.

A folder of alike things holds one Registry in its `__init__.py`; each file registers what it defines under the
name of the file or function. Distributions add more through entry points of the group `induk.<registry>`.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from harvester.errors import ConfigError

T = TypeVar("T")
FEW = 30  # names that a hint lists


def suggestion(name: str, known: list[str]) -> str:
    """A hint for an unknown *name*: the nearest known one, else the known ones, or some when they are many."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    if not known:
        return "there is none yet"
    if len(known) <= FEW:
        return "known: " + ", ".join(sorted(known))
    some = ", ".join(difflib.get_close_matches(name, sorted(known), n=8, cutoff=0.0))
    return f"there are {len(known)}, among them {some}"


class Registry(Generic[T]):
    """Names → things of one kind, found by scanning *package* once, when no file of it is called like them."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._known: dict[str, T] = {}
        self._scanned = False
        self._scanning = threading.RLock()

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: file the decorated thing under *name*; a name taken twice is an error."""

        def keep(thing: T) -> T:
            if name in self._known and self._known[name] is not thing:
                raise ConfigError(f"{self.kind} {name!r} is defined twice")
            self._known[name] = thing
            return thing

        return keep

    def get(self, name: str, place: str = "") -> T:
        """The thing called *name*.

        Raises:
            ConfigError: unknown name; the message lists the nearest or the known ones.
        """
        if name not in self._known:
            self._look_for(name)
        if name not in self._known:
            self._scan()
        try:
            return self._known[name]
        except KeyError:
            hint = suggestion(name, list(self._known))
            raise ConfigError(f"unknown {self.kind} {name!r}", place=place, hint=hint) from None

    def _look_for(self, name: str) -> None:
        """Load the one file that is called like *name*, if there is one: all of them take a fifth of a second."""
        module = name.replace("-", "_")
        with self._scanning:
            package = importlib.import_module(self._package)
            if module.isidentifier() and any(module == one.name for one in pkgutil.iter_modules(package.__path__)):
                importlib.import_module(f"{self._package}.{module}")

    def names(self) -> list[str]:
        """Every known name, sorted."""
        self._scan()
        return sorted(self._known)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        self._scan()
        return iter(sorted(self._known.items()))

    def _scan(self) -> None:
        if self._scanned:
            return
        with self._scanning:  # sources are opened side by side: nobody may see half a registry
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            if not self._scanned:
                self._scanned = True
                for entry in entry_points(group=f"induk.{self.kind.replace(' ', '_')}"):
                    self.register(entry.name)(entry.load())
