"""The process in which a command is recorded. Started by `command.record`; imports torch before the command does."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
import traceback
from collections.abc import Sequence

import torch

from tsrefactor.cases import Inputs
from tsrefactor.facts.observations import Observations

from .classes import classes_of
from .fresh import hand_over
from .inputs import describe_inputs
from .observer import observe
from .outermost import Outermost, outermost_calls
from .program import Program, execute
from .recording import ModuleRecord, Recording
from .sources import Sources

_EXAMPLES = 3
_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> None:
    """Runs the program described by the one argument (JSON), writes the recording, exits as the program did."""
    task = json.loads(arguments[0])
    program = Program(task["kind"], task["target"], tuple(task["arguments"]))
    recorder = _Recorder(os.getcwd())
    recording = _blank(task["command"])
    hand_over()
    with observe([recording.cwd]) as observer, outermost_calls(recorder.sources, recorder.before, recorder.after):
        code = _run(program)
    recording.observations = observer.observations()
    recording.observations.join(recorder.classes)
    recording.modules = list(recorder.modules.values())
    recording.save(task["output"])
    sys.exit(code)


class _Recorder:
    """Collects, at the outermost calls, example inputs and what the modules hold."""

    def __init__(self, source: str):
        self.sources = Sources([source])
        self.modules: dict[str, ModuleRecord] = {}
        self.classes = Observations()
        self._source = source

    def before(self, call: Outermost, module: torch.nn.Module, inputs: Inputs) -> None:
        if call.name not in self.modules:
            self.modules[call.name] = ModuleRecord(call.name, call.name.rpartition("#")[0], module.training)
        record = self.modules[call.name]
        record.calls = call.calls
        if call.calls <= _EXAMPLES:
            record.inputs.append(describe_inputs(inputs))

    def after(self, call: Outermost, module: torch.nn.Module) -> None:
        """Looks at the module after each of its first calls: some attributes are only set then."""
        if call.calls > _EXAMPLES:
            return
        seen = classes_of(module, [self._source])
        if call.calls > 1:
            for cls in seen.classes.values():
                cls.instances = 0  # they were counted at the first call
        self.classes.join(seen)


def _run(program: Program) -> int:
    """Runs the program to its end, reports what it raises as Python would, and returns its exit code."""
    try:
        execute(program)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupted:
        _report(interrupted)
        return _INTERRUPTED
    except Exception as error:
        _report(error)
        return 1
    return 0


def _report(error: BaseException) -> None:
    """Prints the traceback from the program's first frame on."""
    own = {_run.__code__.co_filename, execute.__code__.co_filename}
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename in own:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


def _blank(command: Sequence[str]) -> Recording:
    try:
        version = importlib.metadata.version("tsrefactor")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout
        version = "unknown"
    return Recording(tuple(command), os.getcwd(), platform.python_version(), torch.__version__, version)
