"""Compilers in child processes, one request at a time."""

import json
import os
import subprocess
from typing import IO, Any, Self

from benchmarks.platforms.targets import ROOT, TARGETS, interpreter

ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "JAX_PLATFORMS": "cpu",  # there is no other device
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "XLA_FLAGS": "",  # the tests compile without optimizations
}


class Compiler:
    """A child process that compiles programs for a target.

    A compiler that aborts takes its process with it: the request then fails, and the
    next one starts another process.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.python = interpreter(TARGETS[target].kind)
        self.versions: dict[str, str] = {}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def request(self, name: str, **more: Any) -> dict[str, Any]:
        """Return the result for a program: `program` and `counts`, or `error`.

        Args:
            name: The name of the program.
            **more: `program`, a hash of the lowered program: if it has not changed, it
                is not compiled, and there are no counts.
        """
        stdin, _ = self._pipes()
        try:
            stdin.write(json.dumps({"name": name, **more}) + "\n")
            stdin.flush()
            return self._read()
        except (BrokenPipeError, EOFError):
            return {"error": f"the compiler exited with status {self._stop()}"}

    def _start(self) -> None:
        command = [self.python, "-m", "benchmarks.platforms.worker", self.target]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            self.versions = self._read()["versions"]
        except EOFError:
            status, rest = self._stop(), " ".join(command[1:])
            raise RuntimeError(
                f"the compiler exited with status {status}: see {self.python} {rest}"
            ) from None

    def _stop(self) -> int | None:
        """End the process, and return its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        with process:  # closes the pipes
            return process.wait()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        if self._process is None:
            self._start()
        assert self._process is not None
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        return stdin, stdout

    def _read(self) -> dict[str, Any]:
        _, stdout = self._pipes()
        for line in stdout:
            if line.startswith("{"):  # other lines are the compiler's
                return json.loads(line)
        raise EOFError
