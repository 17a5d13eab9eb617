"""What a user's own tests call: `assert_compatible` holds a model's script or trace against the model itself."""

from __future__ import annotations

import copy
import linecache
import warnings
from pathlib import Path
from typing import Any, Literal

import torch
import torch.fx.experimental.symbolic_shapes  # autograd imports it: once here, not in every fork
from torch import nn

from .cases import Inputs, ModelCase
from .config import load
from .migration.case import as_examination, case_task, unfinished
from .migration.project import Draft, Options
from .verification.observing import VARYING
from .verification.results import Examination
from .verification.values import walk
from .vocabulary import Outcome, Target
from .workers.apart import run_apart
from .workers.blame import shown

__all__ = ["assert_compatible"]


def assert_compatible(
    model: nn.Module, *inputs: Inputs | tuple[Any, ...] | torch.Tensor,
    target: Literal["script", "trace", "any"] | None = None,
) -> None:  # fmt: skip
    """Raises AssertionError unless ``model`` gives under TorchScript what it gives in eager.

    Each of ``inputs`` is one call: ``Inputs(x, mask=m)``, a tuple of positional arguments, or a tensor that is the only
    one. The first is the example that is traced; beside all of them, generated ones of other values and sizes are
    tried, the other mode (train or eval), and the saved and loaded program. ``target`` is by default that of
    ``[tool.tsrefactor]``, else ``script``; ``any`` is content with either. The error names the input on which they
    differ and the line to blame.

    The check runs in a fork of the process, on the CPU, with one thread, on copies, and within the ``timeout`` and
    ``memory`` of ``[tool.tsrefactor]``. So the model, its mode, the inputs and the random generators stay as they
    were, and neither a failed compile nor a crash is left behind for the next test.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    case = _case(model, inputs, target)
    examination = _examined(case)
    if not examination.passed:
        raise AssertionError(_told(case, examination))


def _case(model: nn.Module, inputs: tuple[Any, ...], target: str | None) -> ModelCase:
    if not isinstance(model, nn.Module):
        raise TypeError(f"assert_compatible takes a torch.nn.Module, not {type(model).__name__}")
    if not inputs:
        raise TypeError("assert_compatible needs at least one input: the example to call the model with")
    targets = [known.value for known in Target]
    if target is not None and target not in targets:
        raise ValueError(f"target is {target!r}; use one of {', '.join(targets)}")
    calls = [_call(number, given) for number, given in enumerate(inputs, 1)]
    held = [*model.parameters(), *model.buffers()]
    held += [leaf.value for call in calls for leaf in walk([call.args, call.kwargs])]
    away = {str(t.device) for t in held if isinstance(t, torch.Tensor)} - {"cpu"}
    if away:
        raise ValueError(
            f"model or inputs are on {', '.join(sorted(away))}; the check runs on the CPU: move them there"
        )
    return ModelCase(type(model).__name__, lambda: _copied(model), lambda: calls, target)


def _call(number: int, given: Any) -> Inputs:
    if isinstance(given, Inputs):
        return given
    if type(given) is tuple:
        return Inputs(*given)
    if isinstance(given, torch.Tensor):
        return Inputs(given)
    kind = f"a {type(given).__name__}, not Inputs, a tuple or a tensor"
    raise TypeError(f"input {number} is {kind}; write Inputs(…) around the arguments of one call")


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception:  # of the model's own making, or torch's; the fork has a copy of the whole process
        return model


def _examined(case: ModelCase) -> Examination:
    config = load()
    everywhere = (Path(Path.cwd().anchor),)  # nothing is rewritten here: any file that is not installed may be to blame
    options = Options((), everywhere, None, config.target, seconds=config.timeout, memory_gib=config.memory)
    target = options.target_of(case.target)
    result = run_apart(case_task(options, case.name, target, Draft(), thorough=True), case)
    for note in unfinished(result):
        warnings.warn(note, stacklevel=3)
    examination = as_examination(result, target)
    if VARYING in examination.notes:
        warnings.warn(VARYING, stacklevel=3)
    return examination


def _told(case: ModelCase, examination: Examination) -> str:
    """The message of the assertion: what failed under each target that was tried, on which input, at which line."""
    failures = {way: verdict for way, verdict in examination.verdicts.items() if not verdict.passed}
    in_eager = any(verdict.outcome is Outcome.EAGER_ERROR for verdict in failures.values())
    lines = [f"{case.name} does not run in eager" if in_eager else f"{case.name} is not compatible with TorchScript"]
    for way, verdict in failures.items():
        lines.append(verdict.message if in_eager else f"{way}: {verdict.outcome.value}: {verdict.message}")
        if verdict.input:
            lines.append(f"  on {verdict.input}")
        if verdict.file and verdict.line:
            code = linecache.getline(verdict.file, verdict.line).strip()
            lines.append(f"  at {shown(verdict.file)}:{verdict.line}: {code}")
    if in_eager:
        lines.append("each input is one call: put several arguments into a tuple or Inputs(…)")
    return "\n".join(lines + [f"note: {note}" for note in examination.notes])
