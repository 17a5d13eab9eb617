"""The rules, one a file. A new file here with a `Rule` in it is a new rule: nothing else needs to know of it."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from functools import lru_cache

from tsrefactor.errors import UserError

from .base import Example, Finding, Rule, Settings

__all__ = ["Example", "Finding", "Rule", "Settings", "all_rules", "rule_named", "select_rules"]


@lru_cache(maxsize=1)
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by name; those that are fallbacks last."""
    found = []
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found += [
            cls() for _, cls in inspect.getmembers(module, inspect.isclass)
            if issubclass(cls, Rule) and cls.__module__ == module.__name__ and not inspect.isabstract(cls)
        ]  # fmt: skip
    return tuple(sorted(found, key=lambda r: (r.fallback, r.name)))


def rule_named(name: str) -> Rule:
    """The rule of that name. Raises UserError, with the nearest names, when there is none."""
    rules = {r.name: r for r in all_rules()}
    if name not in rules:
        near = difflib.get_close_matches(name, rules, n=3, cutoff=0.4)
        raise UserError(
            f"no rule is called {name!r}", f"did you mean {', '.join(near)}?" if near else "see `tsrefactor rules`"
        )
    return rules[name]


def select_rules(names: Iterable[str] | None = None, ignored: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules of these names (all when None), without the ignored ones. Raises UserError for an unknown name."""
    skipped = {rule_named(n).name for n in ignored}
    chosen = None if names is None else {rule_named(n).name for n in names}
    return tuple(r for r in all_rules() if (chosen is None or r.name in chosen) and r.name not in skipped)
