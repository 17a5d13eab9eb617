"""What a trace forgets: an attribute that eager sets in one call and reads in the next."""

from __future__ import annotations

import ast
from collections.abc import Callable

from .baking import Baked
from .courses import Following
from .eager import Call, EagerModel, Observation
from .loaded import facts_of
from .state import ModuleState


def forgotten(model: EagerModel, example: Observation, is_user_file: Callable[[str], bool]) -> Baked | None:
    """Where a newly built ``model`` sets what later calls read; None where the source does not show it."""
    before = ModuleState(model.module)
    with Following(is_user_file) as course:
        model.observe(Call(example.call.label, example.call.inputs), example.training)
    changed = before.rebound()
    for file in sorted({file for file, _ in course.functions}):
        facts = facts_of(file)
        nodes = [n for f in facts.all_functions for name in changed for n in f.self_attributes.get(name, ())]
        read = {n.attr for n in nodes if isinstance(n.ctx, ast.Load)}
        for node in sorted(nodes, key=lambda n: n.lineno):
            if isinstance(node.ctx, ast.Store) and node.attr in read and (file, node.lineno) in course.steps:
                return Baked(file, node.lineno, f"the trace does not set `self.{node.attr}`, which a later call reads")
    return None
