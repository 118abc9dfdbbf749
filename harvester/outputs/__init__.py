"""An output carries the catalogue to one place outside; add one file, registered under the kind named in induk.yaml.

Outputs see released documents only (privacy.release), and are driven by deliver.py, which keeps their position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from harvester.model import Catalogue
from harvester.outputs.batch import Batch, Drift, Opening, OutputState, Rejection
from harvester.registry import Registry


class Output(Protocol):
    """One place outside. Raises OutputError when it does not answer: the position stays where it was."""

    def apply(self, batch: Batch) -> Sequence[Rejection]:
        """Bring *batch* there; twice gives what once gives. What is refused for itself is returned, the rest is in."""

    def snapshot(self, catalogue: Catalogue) -> Sequence[Rejection]:
        """Make the place hold exactly *catalogue*: the first time, after a restore, or when the feed was too old."""

    def lost(self, state: OutputState) -> str:
        """What is plainly gone of all that was delivered up to *state*; not empty, everything is sent anew."""

    def verify(self, catalogue: Catalogue, repair: bool = False) -> Drift:
        """Compare the place with *catalogue*; with *repair* put right what differs, and nothing else."""


outputs: Registry[Callable[[Opening], Output]] = Registry("output", __name__)
