"""Calls that TorchScript refuses: which overload comes closest, and what it says about which argument."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SIGNATURE = re.compile(r"^(?P<callee>[\w.:]+)\((?P<parameters>.*)\) -> .*$")
_COMPARISON = re.compile(r"^(?:aten::)?(?:eq|ne|lt|le|gt|ge|__contains__|__is__|__isnot__)(?:\.|$)")

# What a schema says when an argument list does not fit it, most telling first.
_REASONS: tuple[tuple[str, str], ...] = (
    (
        "argument-type",
        r"Expected a value of type '(?P<expected>[^\n]*)' for argument '(?P<argument>[^']*)'"
        r" but instead found type '(?P<found>[^\n]*?)'\.",
    ),
    ("argument-missing", r"Argument (?P<argument>\w+) not provided"),
    ("argument-missing", r"is missing value for argument '(?P<argument>\w+)'"),
    ("argument-unknown", r"Keyword argument (?P<argument>\w+) unknown"),
    ("argument-unknown", r"Unknown keyword argument '(?P<argument>\w+)'"),
    ("argument-twice", r"[Aa]rgument (?P<argument>\w+) specified twice"),
    (
        "argument-count",
        r"[Ee]xpected at most (?P<expected>\d+) (?:arguments|argument\(s\))"
        r" but (?:found|received) (?P<found>\d+)",
    ),
    (
        "argument-match",
        r"Could not match type (?P<found>.+?) to (?P<expected>.+?) in argument '(?P<argument>[^']*)'",
    ),
)
_RANK = {"argument-type": 0, "argument-missing": 2, "argument-unknown": 2, "argument-twice": 2, "argument-count": 1}


@dataclass(frozen=True)
class Refusal:
    """Why one signature does not take a call. ``reason`` is a kind's slug, ``names`` what it says, by role."""

    reason: str
    callee: str
    signature: str
    names: dict[str, str]
    text: str


def refusals(head: str) -> list[Refusal]:
    """The signatures that an error's head lists, each with its reason, in their order; none when it lists none."""
    found: list[Refusal] = []
    blocks: list[tuple[re.Match[str], list[str]]] = []
    for line in head.split("\n"):
        if match := _SIGNATURE.match(line.strip()):
            blocks.append((match, []))
        elif blocks:
            blocks[-1][1].append(line.strip())
    for match, lines in blocks:
        text = "\n".join(line for line in lines if line)
        if reason := read_reason(text):
            found.append(Refusal(reason[0], match["callee"], match[0].removesuffix(":"), reason[1], text))
    return found


def read_reason(text: str) -> tuple[str, dict[str, str]] | None:
    """The slug and the names of one schema's complaint.

    ``inferred`` says whether the callee's parameter only counts as a Tensor because nothing annotates it,
    ``found_inferred`` the same of the value passed, ``empty_list`` that the value is an untyped ``[]``.
    """
    for slug, pattern in _REASONS:
        if match := re.search(pattern, text):
            names: dict[str, str] = match.groupdict()
            if "found" in names and slug != "argument-count":
                names["inferred"] = _yes("(inferred)" in names["expected"] or "Inferred '" in text)
                names["found_inferred"] = _yes("(inferred)" in names["found"])
                names["empty_list"] = _yes("Empty lists default to List[Tensor]" in text)
                names |= {role: names[role].removesuffix(" (inferred)") for role in ("expected", "found")}
            return slug, names
    return None


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def classify_call(head: str) -> tuple[str, dict[str, str], str] | None:
    """Kind, names and message of a refused call, or None when the head tells of none.

    One signature gives its own reason as the kind; several give ``arguments-not-valid`` with the most telling
    refusal's names, and ``reason`` its slug; comparisons with None are ``none-compare``.
    """
    listed = refusals(head)
    if not listed:
        reason = read_reason(head) if re.match(r"^[\w.]+\(\) ", head) else None
        if reason is None:
            return None
        names = {"callee": head.split("(")[0], **reason[1]}
        declared = re.search(r"Declaration: (.+)", head)
        if declared:
            names["signature"] = declared[1]
        return reason[0], names, _message(reason[0], names)
    best = min(enumerate(listed), key=lambda item: (*_distance(item[1]), item[0]))[1]
    names = {"callee": best.callee, "signature": best.signature, **best.names}
    kind = best.reason
    if "following variants are available" in head:
        kind = "arguments-not-valid"
        names |= {"reason": best.reason, "overloads": str(len(listed))}
    found = {r.names["found"] for r in listed if r.reason == "argument-type"}
    if _COMPARISON.match(best.callee) and any(f == "NoneType" or f.startswith("Optional[") for f in found):
        kind = "none-compare"
        names["found"] = next(f for f in sorted(found) if f == "NoneType" or f.startswith("Optional["))
    elif kind == "arguments-not-valid" and best.callee.startswith("prim::") and _mixes(found):
        kind = "mixed-tensor-number"
    return kind, names, _message(kind, names)


def _mixes(found: set[str]) -> bool:
    return "Tensor" in found and bool(found & {"int", "float", "bool", "number", "Scalar"})


def _distance(refusal: Refusal) -> tuple[int, int]:
    """How far a signature is from taking the call: reasons by rank, then how early the argument lies."""
    names = re.findall(r"(\w+)(?:=[^,]*)?(?:,|$)", refusal.signature.partition("(")[2].rpartition(") ->")[0])
    argument = refusal.names.get("argument", "")
    generic = re.search(r"\.?\w*out\(|\bt\[\]", refusal.signature) is not None
    position = names.index(argument) if argument in names else -1
    return (_RANK.get(refusal.reason, 3) + 4 * generic, -position)


def _message(kind: str, names: dict[str, str]) -> str:
    namespace, _, callee = names["callee"].rpartition("::")
    callee = callee.partition(".")[0] if namespace else callee  # aten::add.Tensor is an overload, A.f a method
    argument, found, expected = (names.get(role, "") for role in ("argument", "found", "expected"))
    reason = names.get("reason", kind)
    if kind == "none-compare":
        return f"{callee}() of a value of type {found}"
    if reason == "argument-missing":
        return f"{callee}() lacks its argument '{argument}'"
    if reason == "argument-unknown":
        return f"{callee}() has no parameter '{argument}'"
    if reason == "argument-twice":
        return f"{callee}() gets its argument '{argument}' twice"
    if reason == "argument-count":
        return f"{callee}() takes at most {expected} arguments but {found} were given"
    note = " (not annotated)" if names.get("inferred") == "yes" else ""
    return f"{callee}() expects {expected} for '{argument}'{note}, found {found}"
