"""Kinds of errors: a stable slug for each family of TorchScript messages, and what the message names.

The tables are tried in order, first fit wins; a pattern is searched in the error's *head* (no locations, no excerpt).
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

from .calls import classify_call
from .compile_kinds import COMPILE_KINDS
from .run_kinds import ENGINE_KINDS, RUN_KINDS
from .syntax_kinds import CONSTRUCTS, SYNTAX_KINDS

UNKNOWN = "unknown"
LIMIT = 199  # characters of a message
KINDS: frozenset[str] = frozenset(
    {kind for kind, *_ in (*SYNTAX_KINDS, *COMPILE_KINDS, *RUN_KINDS, *ENGINE_KINDS)}
    | {"argument-type", "argument-missing", "argument-unknown", "argument-twice", "argument-count", "argument-match"}
    | {"arguments-not-valid", "none-compare", "mixed-tensor-number", "unsupported-syntax", "function-attribute-failed"}
    | {"property-raised", "python-exception", "operation-failed", UNKNOWN}
)


def classify(head: str, runtime: bool = False, exception: str | None = None) -> tuple[str, dict[str, str], str]:
    """Kind, names and one-line message of an error's head.

    ``runtime`` says that the interpreter raised it; an error that no run-time pattern fits is then
    ``python-exception`` (a ``raise`` in the source, ``exception`` its type) or ``operation-failed`` (an operator's).
    """
    head = plain_types(head)
    if not runtime and (call := classify_call(head)):
        return call[0], call[1], shorten(call[2])
    if not runtime and (construct := _construct(head)):
        return "unsupported-syntax", {"construct": construct}, shorten(head)
    tables = (RUN_KINDS, ENGINE_KINDS) if runtime else (SYNTAX_KINDS, COMPILE_KINDS, RUN_KINDS, ENGINE_KINDS)
    for kind, pattern, message in (entry for table in tables for entry in table):
        if match := _compiled(pattern).search(head):
            names = {role.rstrip("_"): value for role, value in match.groupdict().items() if value is not None}
            telling = message.format_map(defaultdict(str, names)) if message else head
            return kind, _plain_names(names), shorten(telling)
    if runtime:
        if exception and exception not in ("RuntimeError", "torch.jit.Error"):
            return "python-exception", {"exception": exception}, shorten(f"raises {exception}: {head}")
        return "operation-failed", {}, shorten(head)
    return UNKNOWN, {}, shorten(head)


def _plain_names(names: dict[str, str]) -> dict[str, str]:
    """Types without TorchScript's "(inferred)"; ``inferred`` is ``yes`` where one had it: nothing annotates a value."""
    plain = {role: value.replace(" (inferred)", "") for role, value in names.items()}
    return plain if plain == names else {**plain, "inferred": "yes"}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _construct(head: str) -> str | None:
    """The construct that the front end does not take, for heads like ``Lambda aren't supported``."""
    for pattern, construct in CONSTRUCTS:
        if match := _compiled(pattern).search(head):
            return construct if construct else re.sub(r"(?<!^)(?=[A-Z])", "-", match[1]).lower()
    return None


def plain_types(text: str) -> str:
    """TorchScript's names for Python classes as Python has them: no ``__torch__.``, mangling or compilation unit."""
    text = re.sub(r" \(of Python compilation unit at: \w+\)", "", text)
    return re.sub(r"__torch__\.", "", re.sub(r"___torch_mangle_\d+\.", "", text))


def shorten(text: str) -> str:
    """The first line that says something, without its closing colon and the compiler's advice, < 200 characters."""
    lines = [" ".join(line.split()) for line in text.replace(" (inferred)", "").split("\n") if line.strip(" :")]
    line = lines[0] if lines else ""
    line = re.split(
        r"(?<=[.)\]'\w])\.? (?:Perhaps it is|Did you forget|Its type was inferred|Because \"|If so, please)", line
    )[0]
    line = line.rstrip(" :").removesuffix("(")
    return line if len(line) <= LIMIT else line[: LIMIT - 1] + "…"
