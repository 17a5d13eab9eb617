"""Running code under observation: what every function of the user's source was called with, held and returned.

One mechanism, `sys.settrace`. Elsewhere than in the user's files it costs a dictionary look-up per call. In them, types
are taken from the first 50 calls of each function and from the first 3 visits of each of its lines (a line reached
late counts as well); lines are watched for as long as some of the function's lines were never reached, for at most
1000 calls.
"""

from __future__ import annotations

import dis
import inspect
import linecache
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from types import CodeType, FrameType
from typing import Any

import torch

from tsrefactor.facts.observations import FunctionObservations, Observations
from tsrefactor.facts.types import TOP, UNKNOWN, Type, join, join_given

from .describe import describe, leaf
from .sources import Sources
from .spans import FileSpans, Span

_TYPED_CALLS = 50
_LINED_CALLS = 1000
_TYPED_VISITS = 3
_KEYWORDS = 32  # of those in **kwargs, by name
_RETURNS = {dis.opmap.get("RETURN_VALUE"), dis.opmap.get("RETURN_CONST")}
_SUSPENDS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_MODULE_CALL = torch.nn.Module._call_impl.__code__

Trace = Callable[[FrameType, str, Any], Any]


@contextmanager
def observe(source: Sequence[str]) -> Iterator[Observer]:
    """Watches this thread's calls of functions whose file lies under the folders (or is one of the files) `source`.

    Installed packages, hidden folders and virtual environments below a folder do not count. A trace function that was
    set before is set again afterwards; where the observed code sets its own, that one stays and observation ends.
    """
    observer = Observer(source)
    before = sys.gettrace()
    sys.settrace(observer.trace)
    try:
        yield observer
    finally:
        if sys.gettrace() == observer.trace:
            sys.settrace(before)


class Observer:
    """What `observe` yields; ask it for its observations during or after the run."""

    def __init__(self, source: Sequence[str]):
        self._sources = Sources(source)
        self._texts: dict[str, FileSpans] = {}
        # By identity: hashing a code object hashes all of its constants. `None` stands for one that is not watched;
        # the code object is kept, so that its identity is not used again.
        self._watches: dict[int, tuple[CodeType, _Watch | None]] = {}

    def observations(self) -> Observations:
        """All that was seen so far; functions by real path, qualname and first line."""
        result = Observations()
        for _, watch in list(self._watches.values()):
            if watch is not None and watch.visits:
                seen = watch.seen()
                key = (seen.file, seen.qualname, seen.line)
                if key in result.functions:
                    result.functions[key].join(seen)
                else:
                    result.functions[key] = seen
        return result

    def trace(self, frame: FrameType, event: str, arg: Any) -> Trace | None:
        """The global trace function."""
        code = frame.f_code
        real = self._sources.realpath(code.co_filename)
        if real is None:
            return None
        known = self._watches.get(id(code))
        if known is None:
            known = self._watches[id(code)] = (code, self._watch(code, real, frame.f_globals))
        return known[1].enter(frame) if known[1] is not None else None

    def _watch(self, code: CodeType, real: str, module: dict[str, Any]) -> _Watch | None:
        if not code.co_flags & inspect.CO_OPTIMIZED:  # a module or a class body
            return None
        if real not in self._texts:
            self._texts[real] = FileSpans(linecache.getlines(code.co_filename, module))
        span = self._texts[real].find(code.co_firstlineno, code.co_name)
        return None if span is None else _Watch(code, real, span, self._texts[real].digest(span))


class _Watch:
    """The observation of one code object. A comprehension's adds lines to the function around it, nothing else."""

    def __init__(self, code: CodeType, file: str, span: Span, digest: str):
        self.file, self.span, self.digest = file, span, digest
        self.comprehension = code.co_name.startswith("<") and code.co_name != "<lambda>"
        self.suspends = bool(code.co_flags & _SUSPENDS)
        self.calls, self.scripted = 0, False
        self.visits: dict[int, int] = {}
        self.arguments: dict[str, Type] = {}
        self.returns = TOP if self.suspends else UNKNOWN
        self.locals: dict[str, Type] = {}
        self._seen: dict[str, set[int]] = {}
        count = code.co_argcount + code.co_kwonlyargcount
        self._parameters = code.co_varnames[:count]
        rest = code.co_varnames[count:]
        self._star = rest[0] if code.co_flags & inspect.CO_VARARGS else None
        self._stars = rest[self._star is not None] if code.co_flags & inspect.CO_VARKEYWORDS else None
        self._lines = {line for _, _, line in code.co_lines() if line} - {code.co_firstlineno}
        self._bytes = code.co_code
        self._full: Trace = self._trace_types
        self._slim: Trace = self._trace_lines

    def enter(self, frame: FrameType) -> Trace | None:
        """What to trace a new call (or the resumption of a generator) with."""
        if self.suspends and frame.f_trace is not None:
            return frame.f_trace
        self.calls += 1
        if not self.comprehension and self.calls <= _TYPED_CALLS:
            if not self.scripted:
                self.scripted = _below_forward(frame)
            self._take_arguments(frame.f_locals)
            return self._full
        if self.calls <= _LINED_CALLS and not self._lines <= self.visits.keys():
            return self._slim
        return None

    def _trace_types(self, frame: FrameType, event: str, arg: Any) -> Trace:
        if event == "line":
            visited = self.visits.get(frame.f_lineno, 0)
            if visited < _TYPED_VISITS:
                self.visits[frame.f_lineno] = visited + 1
                self._take_locals(frame.f_locals)
        elif event == "return":
            self._take_locals(frame.f_locals)
            # An exception that leaves the frame is reported as a return of None, too: only the opcode tells.
            if not self.suspends and (arg is not None or self._bytes[frame.f_lasti] in _RETURNS):
                self.returns = self._joined(self.returns, "return", arg)
        return self._full

    def _trace_lines(self, frame: FrameType, event: str, arg: Any) -> Trace:
        if event == "line" and frame.f_lineno not in self.visits:
            self.visits[frame.f_lineno] = _TYPED_VISITS
        return self._slim

    def _take_arguments(self, values: dict[str, Any]) -> None:
        # An empty *args says nothing: the empty tuple is no type in TorchScript and would hide what other calls pass.
        rest = (self._star,) if self._star is not None and values[self._star] else ()
        named = () if self._stars is None else (self._stars,)
        for name in (*self._parameters, *rest, *named):
            self.arguments[name] = join_given(self.arguments.get(name, UNKNOWN), describe(values[name]))
        if self._star is not None:
            self.arguments.setdefault(self._star, UNKNOWN)
        if self._stars is not None:
            for name, value in islice(values[self._stars].items(), _KEYWORDS):
                self.arguments[name] = join_given(self.arguments.get(name, UNKNOWN), describe(value))

    def _take_locals(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if name != "__class__" and not name.startswith("."):
                known = self.locals.get(name, UNKNOWN)
                if name not in (self._star, self._stars) or value:
                    self.locals[name] = self._joined(known, name, value)

    def _joined(self, known: Type, name: str, value: Any) -> Type:
        """Joins what `value` is, at once where a value of its class was already seen under this name."""
        cls = type(value)
        seen = self._seen.setdefault(name, set())
        if id(cls) in seen:
            return known
        if leaf(cls) is not None:  # which keeps the class, and so its identity
            seen.add(id(cls))
        return join(known, describe(value))

    def seen(self) -> FunctionObservations:
        span = self.span
        lines = set(self.visits)
        if self.comprehension:
            return FunctionObservations(self.file, span.qualname, span.first, self.digest, lines=lines)
        return FunctionObservations(
            self.file, span.qualname, span.first, self.digest, self.calls, self.scripted,
            dict(self.arguments), self.returns, dict(self.locals), lines,
        )  # fmt: skip


def _below_forward(frame: FrameType) -> bool:
    """Whether a module's forward (or its own `__call__`) is running here, and not a module's constructor inside it."""
    at: FrameType | None = frame
    while at is not None:
        code = at.f_code
        if code is _MODULE_CALL:
            return True
        if code.co_name in ("__init__", "forward", "__call__") and code.co_argcount:
            first = at.f_locals.get(code.co_varnames[0])
            if issubclass(type(first), torch.nn.Module):
                return code.co_name != "__init__"
        at = at.f_back
    return False
