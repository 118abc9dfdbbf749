"""The harvest's end of the Z39.50 worker: starts it, waits for it no longer than agreed, tries again when it pays."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from harvester.errors import Refused, SourceError, SourceUnavailable
from harvester.redact import redact
from harvester.sources.environment import Environment
from harvester.sources.waiting import pause
from harvester.sources.z3950 import messages
from harvester.sources.z3950.client import Target
from harvester.sources.z3950.messages import Command, Failed, Open, Opened, Reply

CHUNK = 1 << 18
GRACE_SECONDS = 5.0
POLL_SECONDS = 1.0


class Process:
    """One worker process; `ask` is the only way to it."""

    def __init__(self, environment: Environment, place: str, seconds: float, most: int) -> None:
        self._environment = environment
        self._place = place
        self._seconds = seconds
        self._most = most
        self._decoder: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
        root = str(Path(__file__).resolve().parents[3])
        path = os.pathsep.join([root, *(part for part in sys.path if part)])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harvester.sources.z3950.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Nothing of our environment (database addresses, keys) is within the reach of a hostile answer.
            env={"PYTHONPATH": path, "PATH": os.defpath, "LANG": "C.UTF-8"},
            close_fds=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, command: Command) -> Reply:
        """The worker's reply.

        Raises:
            SourceUnavailable: no reply in time, or cancelled.
            Refused: the worker ended, because an answer needed more memory or CPU time than it may.
        """
        encoded = msgspec.msgpack.encode(command)
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        deadline = time.monotonic() + self._seconds + GRACE_SECONDS
        try:
            stdin.write(len(encoded).to_bytes(messages.HEADER, "big") + encoded)
            stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        size = int.from_bytes(self._read(stdout.fileno(), messages.HEADER, deadline), "big")
        if size > self._most:
            raise Refused(f"reply of {size} bytes", place=self._place)
        return self._decoder.decode(self._read(stdout.fileno(), size, deadline))

    def _read(self, pipe: int, size: int, deadline: float) -> bytes:
        received = bytearray()
        while len(received) < size:
            self._wait(pipe, deadline)
            part = os.read(pipe, min(CHUNK, size - len(received)))
            if not part:
                raise self._ended()
            received += part
        return bytes(received)

    def _wait(self, pipe: int, deadline: float) -> None:
        while True:
            if self._environment.cancel():
                raise SourceUnavailable("stopped on request", place=self._place)
            left = deadline - time.monotonic()
            if left <= 0:
                raise SourceUnavailable(f"no complete answer within {self._seconds:g} s", place=self._place)
            if select.select([pipe], [], [], min(left, POLL_SECONDS))[0]:
                return

    def _ended(self) -> Refused:
        try:
            status = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:  # its pipe is closed, but it is not gone yet
            self._process.kill()
            status = self._process.wait()
        return Refused(
            f"the server's answer ended the process that read it (status {status})",
            place=self._place,
            hint="the answer needed more memory or time than options allow",
        )

    def close(self) -> None:
        """End the process, at once."""
        for pipe in (self._process.stdin, self._process.stdout):
            # Closing flushes what a dead worker no longer reads; that it is dead was said already.
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def _is_diagnostic(error: SourceError) -> bool:
    """True for a refusal after which the connection is still good."""
    return "/" in getattr(error, "code", "")


class Session:
    """Questions to one server, asked again over a new connection when the old one was lost.

    Raises, from `ask`:
        SourceUnavailable: every try failed.
        ProtocolError, Refused: at once.
    """

    def __init__(self, target: Target, environment: Environment, rule: str, secrets: tuple[str, ...]) -> None:
        self.target = target
        self._environment = environment
        self._rule = rule
        self._secrets = secrets
        self._process: Process | None = None
        self._waited = 0.0
        self._requests = 0
        self.opened: Opened | None = None

    def ask(self, command: Command) -> Reply:
        """The reply to *command*; connects first when needed."""
        limits = self._environment.limits
        for attempt in range(limits.attempts):
            try:
                return self._once(command)
            except SourceError as error:
                if not _is_diagnostic(error):
                    self.close()
                last = attempt == limits.attempts - 1
                if not messages.is_passing(error) or last or self._environment.cancel():
                    raise
                self._pause(attempt, error)
        raise SourceUnavailable("no try is allowed", place=self.target.place)

    def _pause(self, attempt: int, error: SourceError) -> None:
        limits = self._environment.limits
        seconds = pause(attempt, None, limits, self._environment.jitter())
        self._waited += seconds
        if self._waited > limits.waiting_seconds:
            raise error
        self._environment.log("z3950.wait", place=self.target.place, seconds=round(seconds, 3), reason=error.message)
        self._environment.clock.sleep(seconds)

    def _once(self, command: Command) -> Reply:
        environment, limits = self._environment, self._environment.limits
        self._requests += 1
        if limits.requests_a_night and self._requests > limits.requests_a_night:
            raise SourceUnavailable(f"budget of {limits.requests_a_night} requests is used up", place=self.target.place)
        name = f"{self.target.host}:{self.target.port}"
        with environment.turns.turn(name, limits.delay_seconds, environment.clock):
            return self._answered(self._connected().ask(command))

    def _connected(self) -> Process:
        if self._process is None:
            target, limits = self.target, self._environment.limits
            seconds = 3 * target.answer_seconds + target.connect_seconds * max(len(target.addresses), 1)
            self._process = Process(self._environment, target.place, seconds, 2 * limits.response_bytes)
            opened = self._answered(self._process.ask(Open(target, self._rule)))
            if isinstance(opened, Opened):
                self.opened = opened
        return self._process

    def _answered(self, reply: Reply) -> Reply:
        if not isinstance(reply, Failed):
            return reply
        message = redact(reply.message, self._secrets)
        raise messages.raised(msgspec.structs.replace(reply, message=message))

    @property
    def pid(self) -> int | None:
        """The process id of the worker, None when there is none."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the worker; the next question starts another."""
        if self._process is not None:
            self._process.close()
            self._process = None
