"""A recording as CASES: its command is run again, and each outermost module taken at its first call.

Runs in worker processes only, one command per process: the command's modules, arguments and settings stay behind.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch

from tsrefactor.cases import Inputs, ModelCase
from tsrefactor.errors import UserError
from tsrefactor.workers.seeding import seed

from .copies import copy_inputs
from .outermost import Outermost, outermost_calls
from .program import execute, resolve
from .recording import Recording, load
from .sources import Sources

_EXAMPLES = 3


def names(recording: Recording) -> list[str]:
    """The names of its cases, in the order of first calls."""
    return [module.name for module in recording.modules]


def run(path: str | Path, case: str | None, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Runs the recording's command again, here, until `case` is at hand, and returns ``function(case, **arguments)``.

    The `ModelCase` builds copies of the module as it was before its first call (the live module where it cannot be
    copied), in the mode it was in; its inputs are copies of the arguments of its first calls, three at most. The
    command is stopped there, gets no interpreter flags and starts from the seed of every attempt. Where `case` is None
    the function gets a dict of all cases by name, those not reached again left out.

    Raises UserError when the recording cannot be read or run, has no such case, or the command does not call it again.
    """
    recording = load(path)
    known = names(recording)
    if case is not None and case not in known:
        remedy = f"use one of {', '.join(known)}" if known else "record a command that calls a model"
        raise UserError(f"has no case named {case!r}", remedy, path)
    taken, ending = _capture(recording, known if case is None else [case])
    if case is None:
        return function({name: held.case(name) for name, held in taken.items()}, **arguments)
    if case not in taken:
        remedy = "record it again, or make the command deterministic"
        raise UserError(f"the command did not call {case} again ({ending})", remedy, path)
    return function(taken[case].case(case), **arguments)


@dataclass
class _Taken:
    """A module as captured: ``copied`` tells whether `module` is a copy or the command's own."""

    module: torch.nn.Module
    copied: bool
    wanted: int
    inputs: list[Inputs] = field(default_factory=list)

    def case(self, name: str) -> ModelCase:
        def build() -> torch.nn.Module:
            return copy.deepcopy(self.module) if self.copied else self.module

        return ModelCase(name, build, lambda: [copy_inputs(inputs) for inputs in self.inputs])


class _Stop(BaseException):
    """Ends the command; no Exception, so that the command's own handlers let it pass."""


def _capture(recording: Recording, wanted: Sequence[str]) -> tuple[dict[str, _Taken], str]:
    """The wanted modules that the command called, by name, and how the command ended."""
    calls = {module.name: min(module.calls, _EXAMPLES) for module in recording.modules}
    taken: dict[str, _Taken] = {}

    def before(call: Outermost, module: torch.nn.Module, inputs: Inputs) -> None:
        if call.name in wanted:
            if call.name not in taken:
                taken[call.name] = _take(module, calls[call.name])
            held = taken[call.name]
            if len(held.inputs) < held.wanted:
                held.inputs.append(copy_inputs(inputs))
        if all(name in taken and len(taken[name].inputs) == taken[name].wanted for name in wanted):
            _stop()

    folder = os.getcwd()
    _enter(recording)
    try:
        with outermost_calls(Sources([recording.cwd]), before, lambda call, module: None):
            ending = _run(recording)
    finally:
        os.chdir(folder)
    # What the command may have set for the whole process, back to how cases run.
    torch.set_grad_enabled(True)
    torch.set_num_threads(1)
    return taken, ending


def _take(module: torch.nn.Module, calls: int) -> _Taken:
    try:
        return _Taken(copy.deepcopy(module), True, calls)
    except Exception:  # of the module's own making; a live module serves, for its first call only
        return _Taken(module, False, 1)


def _stop() -> NoReturn:
    """Raises what ends the command: inside a test, pytest takes anything but its own Exit for a failed test."""
    if "PYTEST_CURRENT_TEST" in os.environ and "pytest" in sys.modules:
        sys.modules["pytest"].exit("tsrefactor has what it came for", returncode=0)
    raise _Stop


def _enter(recording: Recording) -> None:
    try:
        os.chdir(recording.cwd)
    except OSError as error:
        remedy = "record the command again where it is now"
        raise UserError(f"its folder {recording.cwd} cannot be entered: {error.strerror}", remedy) from error


def _run(recording: Recording) -> str:
    """Runs the command and says how it ended."""
    program = resolve(recording.command)
    seed()
    try:
        execute(program)
    except _Stop:
        return "it was stopped"
    except SystemExit as ended:
        return f"it ended with exit code {ended.code or 0}"
    except (Exception, KeyboardInterrupt) as error:  # the command's own failure is for the caller to tell
        return f"it raised {type(error).__name__}: {' '.join(str(error).split())}"
    return "it came to its end"
