"""einops' patterns as chains of a tensor's own methods, in the order in which einops computes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import ascii_letters

_DOTS = "..."
_WORD = re.compile(r"\(|\)|\.\.\.|\w+")
_REDUCTIONS = {"mean": "mean", "sum": "sum", "max": "amax", "min": "amin", "prod": "prod", "any": "any", "all": "all"}
_ONE_AT_A_TIME = frozenset({"prod", "any", "all"})

# One side of a pattern: axes, and groups of axes in parentheses. An axis of size 1 is an empty group, a number a name
# that begins with it and a blank, so that it is equal to no other.
Side = list["str | tuple[str, ...]"]


class Untranslatable(ValueError):
    """Why a pattern has no chain of methods."""


def as_methods(
    operation: str, pattern: str, sizes: Mapping[str, str], reduction: str = "", rank: int | None = None
) -> str:
    """A template that does to ``{tensor}`` what einops does by a pattern (``rearrange``, ``repeat``, ``reduce``).

    ``sizes``: the source of each size that the call names. ``rank``: how many axes the tensor has, where that is
    known. Raises `Untranslatable`.
    """
    left, right = _sides(pattern, rank)
    sizes = {**sizes, **{name: name.split()[0] for name in _flat([*left, *right]) if " " in name}}
    _check(operation, left, right, sizes)
    axes = _Axes(left, sizes)
    target, grown = axes.kept_ones(_flat(right), sizes)
    axes.drop_ones(target)
    axes.order(target)
    axes.reduce(target, reduction)
    axes.grow(target, grown)
    axes.merge(right)
    return "{tensor}" + "".join(axes.steps)


def as_equation(pattern: str, operands: int) -> str:
    """The equation for `torch.einsum` of a pattern of einops' `einsum`. Raises `Untranslatable`.

    The axes keep letters of their own where torch sums them in the same order: that of the alphabet.
    """
    lefts, arrow, right = pattern.partition("->")
    terms = [re.findall(r"\.\.\.|\w+", side) for side in [*lefts.split(","), right]]
    if not arrow or "->" in right or len(terms) != operands + 1 or re.search(r"[^\w\s.,]", lefts + right):
        raise Untranslatable("einops does not take its pattern")
    names = [name for name in dict.fromkeys(n for term in terms[:-1] for n in term) if name != _DOTS]
    if len(names) > len(ascii_letters) or not set(terms[-1]) <= {*names, _DOTS} or any(n[0].isdigit() for n in names):
        raise Untranslatable("einops does not take its pattern")
    letters = {name: name[0] for name in names}
    summed = [letters[name] for name in names if name not in terms[-1]]
    clear = set(letters.values()) <= set(ascii_letters) and len(set(letters.values())) == len(names)
    if not clear or summed != sorted(summed) or operands > 2:
        letters = dict(zip(names, ascii_letters, strict=False))  # einops' own
    shown = ["".join(letters.get(name, name) for name in term) for term in terms]
    return f"{','.join(shown[:-1])}->{shown[-1]}"


def axes_alone(pattern: str) -> bool:
    """Whether a ``...`` in parentheses stands alone: einops makes one axis of none there."""
    return re.search(r"\(\s*\.\.\.\s*\)", pattern) is not None


def _sides(pattern: str, rank: int | None) -> tuple[Side, Side]:
    sides = pattern.split("->")
    if len(sides) != 2:
        raise Untranslatable("its pattern has not two sides")
    left, right = (_side(side, n) for n, side in enumerate(sides))
    if rank is None or _DOTS not in left:
        return left, right
    hidden = tuple(f"{_DOTS}{i}" for i in range(rank - len(left) + 1))
    return _spread(left, hidden), _spread(right, hidden)


def _spread(side: Side, hidden: tuple[str, ...]) -> Side:
    """A side with the axes that ``...`` stands for."""
    found: Side = []
    for item in side:
        if isinstance(item, tuple):
            found.append(tuple(n for name in item for n in (hidden if name == _DOTS else (name,))))
        else:
            found += hidden if item == _DOTS else (item,)
    return found


def _side(text: str, number: int) -> Side:
    if _WORD.sub("", text).strip():
        raise Untranslatable("its pattern is malformed")
    side: Side = []
    group: list[str] | None = None
    for place, word in enumerate(_WORD.findall(text)):
        if word in "()":
            if (word == "(") != (group is None):
                raise Untranslatable("its pattern is malformed")
            if group is not None:
                side.append(tuple(group))
            group = [] if group is None else None
        elif group is not None:
            group += [] if word == "1" else [f"{word} {number}.{place}" if word.isdecimal() else word]
        else:
            side.append(() if word == "1" else f"{word} {number}.{place}" if word.isdecimal() else word)
    names = _flat(side)
    if group is not None or len(set(names) - {""}) != len(names) - names.count(""):
        raise Untranslatable("its pattern is malformed")
    return side


def _flat(side: Side) -> list[str]:
    """The axes in their order; "" for one of size 1."""
    return [name for item in side for name in ((item or ("",)) if isinstance(item, tuple) else (item,))]


def _check(operation: str, left: Side, right: Side, sizes: Mapping[str, str]) -> None:
    before, after = (set(_flat(side)) - {""} for side in (left, right))
    vanish, appear = before - after, after - before
    wrong = {"rearrange": vanish | appear, "repeat": vanish, "reduce": appear}[operation]
    if _DOTS in vanish and operation == "reduce":
        raise Untranslatable("how many axes `...` stands for is not known")
    groups = [item for item in left if isinstance(item, tuple)]
    open_ = any(sum(name not in sizes for name in group) > 1 or _DOTS in group for group in groups)
    if wrong or open_ or not appear <= set(sizes) or not set(sizes) <= before | after:
        raise Untranslatable("einops does not take its pattern")


class _Axes:
    """The axes of a tensor on the way from one side of a pattern to the other; ``...`` stands for any number."""

    def __init__(self, left: Side, sizes: Mapping[str, str]):
        """Takes the groups of the left side apart, the last one first: the indices before it stay right."""
        self.steps: list[str] = []
        self.names = [item if isinstance(item, str) else f"1 {i}" for i, item in enumerate(left)]
        for place in reversed(range(len(left))):
            group = left[place]
            if isinstance(group, tuple) and len(group) > 1:
                lengths = ", ".join(sizes.get(name, "-1") for name in group)
                self.steps.append(f".unflatten({self.at(place)}, ({lengths}))")
            if isinstance(group, tuple) and group:
                self.names[place : place + 1] = group

    def at(self, place: int) -> int:
        """An index: counted from the end behind the ``...``."""
        return place - len(self.names) if _DOTS in self.names[:place] else place

    def kept_ones(self, target: list[str], sizes: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """The target with names for all axes of size 1, for those that stay where they are the ones they have; and
        the sizes of axes that grow."""
        ones = [name for name in self.names if name.startswith("1 ")]
        found, grown = list(target), {}
        for place, name in sorted(enumerate(target), key=lambda p: p[1] != ""):
            if name in self.names:
                continue
            around = (found[place - 1] if place else None, target[place + 1] if place + 1 < len(target) else None)
            one = next((o for o in ones if self._stays(o, *around)), f"1 new {place}" if name == "" else name)
            ones = [o for o in ones if o != one]
            found[place] = one
            if name:
                grown[one] = sizes[name]
        return found, grown

    def _stays(self, one: str, before: str | None, after: str | None) -> bool:
        """Whether an axis of size 1 has the neighbour before or after it that another one is to have."""
        i = self.names.index(one)
        same_before = before == (self.names[i - 1] if i else None)
        return same_before or (after is not None and self.names[i + 1 : i + 2] == [after])

    def drop_ones(self, target: Sequence[str]) -> None:
        ones = [i for i, name in enumerate(self.names) if name.startswith("1 ") and name not in target]
        if ones:
            self.steps.append(f".squeeze({_numbers([self.at(i) for i in ones])})")
            self.names = [name for i, name in enumerate(self.names) if i not in ones]

    def order(self, target: Sequence[str]) -> None:
        """Brings the axes that stay into their order."""
        kept = [name for name in target if name in self.names]
        if [name for name in self.names if name in kept] == kept:
            return
        wanted = kept + [name for name in self.names if name not in kept]
        moved = [i for i, name in enumerate(wanted) if self.names[i] != name]
        if len(moved) == 2 and _DOTS not in (self.names[i] for i in moved):
            self.steps.append(f".transpose({', '.join(str(self.at(i)) for i in moved)})")
        elif _DOTS not in self.names:
            self.steps.append(f".permute({', '.join(str(self.names.index(name)) for name in wanted)})")
        else:
            named = [name for name in self.names if name != _DOTS]
            alone = [n for n in named if [m for m in self.names if m != n] == [m for m in wanted if m != n]]
            named = alone[:1] or named
            sources = [self.at(self.names.index(name)) for name in named]
            self.names = wanted
            goals = [self.at(self.names.index(name)) for name in named]
            self.steps.append(f".movedim({_numbers(sources)}, {_numbers(goals)})")
        self.names = wanted

    def reduce(self, target: Sequence[str], reduction: str) -> None:
        reduced = [i for i, name in enumerate(self.names) if name not in target]
        if not reduced:
            return
        if reduction not in _REDUCTIONS:
            raise Untranslatable("how it reduces is not written there")
        new = [i for i, name in enumerate(target) if name not in self.names]
        keep = new == reduced and len(target) == len(self.names)
        kept = ", keepdim=True" if keep else ""
        groups = [[i] for i in reversed(reduced)] if reduction in _ONE_AT_A_TIME else [reduced]
        for places in groups:
            self.steps.append(f".{_REDUCTIONS[reduction]}(dim={_numbers([self.at(i) for i in places])}{kept})")
            self.names = self.names if keep else [name for i, name in enumerate(self.names) if i not in places]
        self.names = list(target) if keep else self.names

    def grow(self, target: list[str], grown: Mapping[str, str]) -> None:
        """Puts new axes in, and repeats along those that einops repeats; `expand` adds leading ones itself."""
        new = [i for i, name in enumerate(target) if name not in self.names]
        leading = bool(grown) and new == list(range(len(new)))
        unchanged = not self.steps
        self.names = list(target)
        if len(new) == 1 and not leading:
            self.steps.append(f".unsqueeze({self.at(new[0])})")
        elif new and not leading:
            parts = ["None" if i in new else _DOTS if name == _DOTS else ":" for i, name in enumerate(target)]
            parts = parts if _DOTS in parts[: new[-1]] else parts[: new[-1] + 1]
            self.steps.append(f"[{', '.join(parts)}]")
        lengths = [grown.get(name, "1" if leading and i in new else "-1") for i, name in enumerate(target)]
        if not grown:
            return
        if _DOTS not in target:
            self.steps.append(f".expand({', '.join(lengths)})")
        elif leading and unchanged and set(grown) <= set(target[: len(new)]):
            first = ", ".join(lengths[: len(new)]) + ("," if len(new) == 1 else "")
            self.steps.append(f".expand(({first}) + {{tensor}}.shape)")
        else:
            raise Untranslatable("how many axes `...` stands for is not known")

    def merge(self, right: Side) -> None:
        """Puts the groups of the right side together: first the one with the ``...``, then the last ones first."""
        spans, first = [], 0
        for item in right:
            end = first + (max(len(item), 1) if isinstance(item, tuple) else 1)
            if isinstance(item, tuple) and (len(item) > 1 or item == (_DOTS,)):
                spans.append((first, end))
            first = end
        for first, end in sorted(spans, key=lambda s: (_DOTS not in self.names[s[0] : s[1]], -s[0])):
            last = end - 1 - (len(self.names) if _DOTS in self.names[:end] else 0)
            shown = "" if end == len(self.names) else f", {last}"
            self.steps.append(f".flatten({self.at(first) if first or shown else ''}{shown})")
            self.names[first:end] = ["()"]


def _numbers(numbers: Sequence[int]) -> str:
    """One number, or a tuple of several."""
    return str(numbers[0]) if len(numbers) == 1 else f"({', '.join(map(str, numbers))})"
