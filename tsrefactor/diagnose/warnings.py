"""TracerWarnings: where a trace froze something that depends on its example input."""

from __future__ import annotations

import re

from ..facts.diagnosis import Diagnosis, Place
from .kinds import UNKNOWN, shorten

# Kind, pattern, message (None: the warning's own first line). Texts of torch/_tensor.py, torch/jit/_trace.py and
# torch/csrc (python_variable_methods.cpp, tracer.cpp, python_arg_parser.cpp).
_KINDS: tuple[tuple[str, str, str | None], ...] = (
    (
        "trace-boolean",
        r"Converting a tensor to a Python boolean",
        "a tensor decides a branch; the trace keeps the example's",
    ),
    (
        "trace-integer",
        r"Converting a tensor to a Python integer",
        "a tensor becomes a Python int; the trace keeps the example's",
    ),
    (
        "trace-float",
        r"Converting a tensor to a Python float",
        "a tensor becomes a Python float; the trace keeps the example's",
    ),
    (
        "trace-number",
        r"Converting a tensor to a Python (?P<type>number|complex)",
        "a tensor becomes a Python number; the trace keeps the example's",
    ),
    (
        "trace-list",
        r"Converting a tensor to a Python list",
        "a tensor becomes a Python list; the trace keeps the example's",
    ),
    (
        "trace-numpy",
        r"Converting a tensor to a NumPy array",
        "a tensor becomes a NumPy array; the trace does not see what follows",
    ),
    ("trace-len", r"Using len to get tensor shape", "len() of a tensor; the trace keeps the example's length"),
    (
        "trace-iterate",
        r"Iterating over a tensor",
        "a loop over a tensor; the trace keeps the example's number of rounds",
    ),
    (
        "trace-constant",
        r"(?P<function>\S+) results are registered as constants in the trace",
        "the result of {function} becomes a constant of the trace",
    ),
    (
        "trace-in-place",
        r"live references to the data region being modified when tracing in-place operator "
        r"(?P<operator>\S+?)[.\s]",
        "{operator} modifies a tensor that other views share; the trace does not follow",
    ),
    (
        "trace-alias",
        r"can't be represented in the JIT at the moment, so we won't connect",
        "an operation is not recorded; its result becomes a constant of the trace",
    ),
    (
        "trace-container",
        r"Encountering a (?P<container>list|dict) at the output of the tracer",
        "the trace returns a {container}; it may not change with the inputs",
    ),
    (
        "trace-nondeterministic",
        r"Trace had nondeterministic nodes",
        "the trace holds random operations (was eval() forgotten?)",
    ),
    (
        "trace-mismatch",
        r"Output nr (?P<output>\d+)\. of the traced function does not match",
        "output {output} of the trace differs from eager on the same input",
    ),
)
WARNING_KINDS: frozenset[str] = frozenset(kind for kind, *_ in _KINDS) | {UNKNOWN}


def diagnose_warning(message: str, file: str | None = None, line: int | None = None) -> Diagnosis:
    """What a ``TracerWarning`` says. ``file`` and ``line`` are the warning's own (``WarningMessage.filename``,
    ``.lineno``): torch raises them at the line of Python that was running."""
    place = Place(file, line) if file is not None and line is not None else None
    for kind, pattern, telling in _KINDS:
        if match := re.search(pattern, message):
            names = match.groupdict()
            return Diagnosis(
                kind, shorten(telling.format_map(names) if telling else message), message, place, names=names
            )
    return Diagnosis(UNKNOWN, shorten(message), message, place)
