"""The open pipeline of a server, by the files as they are: pages obey a policy that was tightened a moment ago."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from time import monotonic

import msgspec

from harvester.errors import ConfigError
from harvester.pipeline import Pipeline, open_pipeline
from harvester.settings import file_times

AGAIN = 30.0  # seconds until files that were refused are read again: what mends them may be no edit but a match


class Opened:
    """The pipeline; opened anew by *opener* when induk.yaml, a partner's file or the rules are others than before.

    Files that are refused are logged, and the last good settings stay. So does the database, whatever the file says.
    """

    def __init__(self, pipeline: Pipeline, opener: Callable[[], Pipeline] | None = None) -> None:
        self.pipeline = pipeline
        self._opener = opener or self._same_settings
        self._files = file_times(pipeline.settings)
        self._refused, self._until = self._files, 0.0
        self._lock = Lock()

    def today(self) -> Pipeline:
        """The pipeline for one request."""
        files = file_times(self.pipeline.settings)
        if files != self._files:
            with self._lock:
                if files != self._files and (files != self._refused or monotonic() > self._until):
                    self._reopen(files)
        return self.pipeline

    @property
    def state(self) -> int:
        """Another number for other files: what was made of them is stale."""
        return hash(self._files)

    def _reopen(self, files: tuple[tuple[str, int], ...]) -> None:
        try:
            self._take(self._opener())
            self._files = files
        except ConfigError as error:
            self._refused, self._until = files, monotonic() + AGAIN
            self.pipeline.log("settings_refused", error=str(error))
            with suppress(ConfigError):  # rules were promoted: they count, whatever is wrong with the settings
                self._take(self._same_settings())

    def _same_settings(self) -> Pipeline:
        old = self.pipeline
        return open_pipeline(old.settings, os.environ, old.clock, cancel=old.cancel, log=old.log)

    def _take(self, fresh: Pipeline) -> None:
        """Requests at work go on with the database that they have."""
        fresh.workers.close()
        fresh.database.close()
        self.pipeline = msgspec.structs.replace(fresh, database=self.pipeline.database)
