"""From an error of the compiler, the interpreter or the tracer to a `Diagnosis`: what is wrong, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..facts.diagnosis import Diagnosis, Place
from .frames import ErrorText, Frame, parse_error
from .kinds import KINDS, UNKNOWN, classify, shorten
from .trail import Trail, behind_decorator, construction, definition, follow, function_at, known_functions, owner
from .warnings import WARNING_KINDS, diagnose_warning

__all__ = ["KINDS", "UNKNOWN", "WARNING_KINDS", "diagnose", "diagnose_text", "diagnose_warning"]


def diagnose(error: BaseException, is_user_file: Callable[[str], bool]) -> Diagnosis:
    """What ``error``, raised by scripting, tracing, saving or calling a module, says; and where in the user's source.

    To be called where the exception is alive: its traceback names modules and functions that the text does not.
    ``is_user_file`` says of a path as Python reports it whether it is the user's. The place is the first of: the text's
    innermost user frame; the call site of the function that was being compiled; that function's ``def``; the user's
    Python frame that raised; the statement of the user's module class that builds the submodule that failed; the
    ``forward`` of the module that was called. ``names`` may hold, beside what the message names, ``via_module`` and
    ``via_attribute`` (an attribute through which a failing function was reached), ``owner`` and ``owner_attribute``
    (the user's module class and its attribute that holds the failing module), ``used_line`` and ``exception``.
    """
    text = str(error)
    parts = parse_error(text)
    trail = follow(error, is_user_file)
    kind, names, message = classify(parts.head, parts.runtime, parts.exception)
    raised_in_property = (trail.modules or trail.listing) and trail.python and not parts.frames
    if raised_in_property:
        name = (trail.python[0].function or "").rpartition(".")[2]
        kind, names = "property-raised", {"property": name, "exception": type(error).__name__}
        message = shorten(f"'{name}' raises {type(error).__name__} while the module is inspected: {parts.head}")
    elif kind == UNKNOWN and trail.python:  # the user's Python raised while torch ran it, as in a trace
        kind, names = "python-exception", {"exception": type(error).__name__}
        message = shorten(f"raises {type(error).__name__}: {message}")
    elif kind == UNKNOWN:
        message = shorten(f"{type(error).__name__}: {message}")
    names |= _also_named(parts, trail)
    frames = _resolve(parts, trail)
    callers = [f for f in frames if not f.use]
    at = next((i for i, f in enumerate(callers) if is_user_file(f.file)), None)
    place = callers[at] if at is not None else None
    chain = callers[at + 1 :] if at is not None else []
    if place is None:
        place, chain = _place_from_trail(trail, is_user_file, located=bool(frames))
        if place is not None and trail.modules and (held := owner(trail, is_user_file)):
            names |= {"owner": _qualified(held[0])} | ({"owner_attribute": held[1]} if held[1] else {})
    cls = trail.module_class
    return Diagnosis(
        kind,
        message,
        text,
        _place(place) if place else None,
        tuple(map(_place, chain)),
        names,
        _qualified(cls) if cls else None,
    )


def diagnose_text(text: str, is_user_file: Callable[[str], bool]) -> Diagnosis:
    """As `diagnose`, from the text of an error alone."""
    return diagnose(RuntimeError(text), is_user_file)


def _also_named(parts: ErrorText, trail: Trail) -> dict[str, str]:
    names = {f"via_{role}": value for role, value in (parts.wrapper or {}).items()}
    used = [f for f in parts.frames if f.use]
    if used:
        names["used_line"] = str(used[0].line)
    if trail.inspected and not parts.frames:
        names["attribute"] = trail.inspected
    return names


def _resolve(parts: ErrorText, trail: Trail) -> list[Frame]:
    """The text's frames with the call sites that only the traceback knows, real files and function names."""
    functions = known_functions(trail)
    frames = list(parts.frames)
    shown = {(f.file, f.line) for f in frames}
    missing = [s for s in trail.sites if (s.file, s.line) not in shown]
    if trail.parsing and frames and trail.functions:
        callee = getattr(trail.functions[0], "__qualname__", None)
        missing = [replace(s, function=frames[0].function) for s in missing]
        frames[0] = replace(frames[0], function=callee)
    frames[1:1] = missing
    for i, frame in enumerate(frames):
        file = behind_decorator(frame, functions) or frame.file
        frames[i] = replace(frame, file=file, function=frame.function or function_at(file, frame.line, functions))
    return frames


def _place_from_trail(
    trail: Trail, is_user_file: Callable[[str], bool], located: bool
) -> tuple[Frame | None, list[Frame]]:
    """Where no frame of the text is the user's. ``located``: it had frames, in the code of a library's module, whose
    constructor call then is to blame; without, the whole value that the attribute was given is."""
    for site in trail.sites:
        if is_user_file(site.file):
            return site, []
    for function in trail.functions:
        frame = definition(function)
        if frame is not None and is_user_file(frame.file):
            return frame, []
    if trail.python:
        return trail.python[0], trail.python[1:]
    if held := owner(trail, is_user_file):
        return construction(*held, is_user_file, narrow=located), []
    for called in (trail.running.forward, trail.running.__call__) if trail.running is not None else ():
        frame = definition(called)
        if frame is not None and is_user_file(frame.file):
            return frame, []
    return None, []


def _place(frame: Frame) -> Place:
    return Place(frame.file, frame.line, frame.column, frame.end_column, frame.function)


def _qualified(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
