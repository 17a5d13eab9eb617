"""comprehension-loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flow import root_name
from tsrefactor.facts.module_loops import container_kind
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.placement import is_elif, lazy_place, only_eager
from tsrefactor.source.edits import Edit, InsertBefore, Piece, Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

Comprehension = ast.ListComp | ast.DictComp | ast.GeneratorExp

_WHOLE = frozenset({"list", "tuple", "sum", "min", "max", "sorted"})  # what takes all of a generator
_HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
_LAYERS = """\
    def __init__(self):
        super().__init__()
        self.taken = [0, 2]
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)])

"""


def _example(before: str, after: str, error: str = "Comprehension ifs") -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class ComprehensionLoop(Rule):
    """Write a loop in the place of a comprehension that leaves out elements, or has several `for`.

    TorchScript takes comprehensions of one `for` and without `if`. `ys = [f(x) for x in xs if x.dim() > 1]` becomes an
    empty list and a loop that appends; in the midst of a statement, the list is made before it, under another name.
    A generator is written so where `list`, `tuple`, `sum`, `min`, `max` or `sorted` takes all of it. A comprehension
    over a slice of a ModuleList, too, for which module-index then loops over all of it.

    Left alone: comprehensions inside others, in conditions of a `while`, in `elif`, behind `and` and `or`, in arms of a
    conditional expression; those before which the statement computes or reads something that they might change, or be
    changed by; generators for `sum`, `min`, `max` or `sorted` that update in place; dicts whose keys and values both do
    more than compute, for a loop would compute them in the other order; sets.

    Source: "Comprehension ifs are not supported yet" and "Only a single generator is currently supported", raised by
    torch/jit/frontend.py.
    """

    name = "comprehension-loop"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax", "missing-attribute"})
    examples = [
        _example(
            _LAYERS
            + """\
    def forward(self, x):
        outs = [layer(x) for i, layer in enumerate(self.layers) if i in self.taken]  # some
        return torch.cat([out for out in outs if out.dim() > 1], 1)
""",
            _LAYERS
            + """\
    def forward(self, x):
        outs = []  # some
        for i, layer in enumerate(self.layers):
            if i in self.taken:
                outs.append(layer(x))
        kept = []
        for out in outs:
            if out.dim() > 1:
                kept.append(out)
        return torch.cat(kept, 1)
""",
        ),
        _example(
            """\
    def forward(self, x):
        found = {'mean': x.mean(), 'sum': x.sum()}
        return {name: value * 2 for name, value in found.items() if name != 'sum'}
""",
            """\
    def forward(self, x):
        found = {'mean': x.mean(), 'sum': x.sum()}
        kept = {}
        for name, value in found.items():
            if name != 'sum':
                kept[name] = value * 2
        return kept
""",
        ),
        _example(
            """\
    def forward(self, x):
        parts = [
            part * i  # each of four
            for i in range(2)
            for part in x.chunk(2)
        ]
        return torch.cat(parts)
""",
            """\
    def forward(self, x):
        parts = []
        for i in range(2):
            for part in x.chunk(2):
                parts.append(part * i)
        return torch.cat(parts)
""",
            error="Only a single generator",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            for node in function.of(ast.ListComp, ast.DictComp, ast.GeneratorExp):
                message = "TorchScript takes no `if` and no second `for` in a comprehension; write a `for` loop"
                if len(node.generators) == 1 and not node.generators[0].ifs:
                    if not _over_slice(function, node.generators[0].iter):
                        continue
                    message = "TorchScript cannot call the modules of a slice of a ModuleList; write a `for` loop"
                if _can_move(function, node):
                    yield self.finding(node, message, *_loop(function, node))


def _over_slice(function: Function, over: ast.expr) -> bool:
    """Whether a comprehension goes over a part of a ModuleList, numbered or not."""
    if isinstance(over, ast.Call) and function.file.origin(over.func) == "enumerate" and over.args:
        over = over.args[0]
    if not isinstance(over, ast.Subscript) or not isinstance(over.slice, ast.Slice):
        return False
    return container_kind(function, over.value) == "torch.nn.ModuleList"


def _can_move(function: Function, node: Comprehension) -> bool:
    """Whether a loop before its statement, or in its place, computes the same."""
    file, flow = function.file, function.flow
    statement = file.statement_of(node)
    if isinstance(statement, (ast.While, ast.With)) or is_elif(file, statement) or only_eager(file, node):
        return False
    if lazy_place(file, node, statement) is not None or _inside_other(file, node):
        return False
    if isinstance(statement, ast.Assert) and statement.msg is not None and not _ends_before(node, statement.msg):
        return False
    if any(isinstance(n, (ast.NamedExpr, ast.Lambda, ast.Await)) for n in walk(node)):
        return False
    if any(g.is_async or not _plain(g.target) for g in node.generators):
        return False
    if isinstance(node, ast.DictComp) and not (flow.is_pure(node.key) or flow.is_pure(node.value)):
        return False
    if isinstance(node, ast.GeneratorExp) and not _taken_whole(function, node):
        return False
    before = [n for n in walk(statement) if isinstance(n, ast.Call) and _ends_before(n, node)]
    if flow.is_pure(node) and not flow.mutates(node):
        return flow.is_pure(before)
    return not before and not _reads_before(function, statement, node)


def _reads_before(function: Function, statement: ast.stmt, node: Comprehension) -> bool:
    """Whether the statement reads what may change before it comes to the comprehension: more than local names."""
    roots: list[ast.AST] = [statement]
    if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
        roots = [statement.value]  # its targets are evaluated last
    inside = set(walk(node))
    before = [
        n for root in roots for n in walk(root)
        if isinstance(n, ast.expr) and n not in inside and _ends_before(n, node)
        and not isinstance(n, (ast.Name, ast.Constant, ast.Tuple, ast.List, ast.Starred))
    ]  # fmt: skip
    return not all(isinstance(n, ast.Attribute) and _lasts(function, n) for n in before)


def _lasts(function: Function, node: ast.Attribute) -> bool:
    """Whether it is what a call calls: of torch, a method, or an attribute that nothing but `__init__` sets."""
    if function.file.origin(node).startswith("torch."):
        return True
    call, name, cls = function.file.parents[node], function.self_attribute(node), function.cls
    if name is None or cls is None or not isinstance(call, ast.Call) or call.func is not node:
        return False
    family = (cls, *cls.ancestors, *cls.subclasses)
    sets = [method.name for c in family for method, _ in c.assigned.get(name, ())]
    return all(s == "__init__" for s in sets) and (bool(sets) or any(name in c.methods for c in family))


def _plain(target: ast.expr) -> bool:
    return all(isinstance(n, (ast.Name, ast.Tuple, ast.List)) for n in walk(target))


def _inside_other(file: FileFacts, node: ast.AST) -> bool:
    parent = file.parents[node]
    while isinstance(parent, (ast.expr, ast.comprehension, ast.keyword)):
        if isinstance(parent, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            return True
        parent = file.parents[parent]
    return False


def _taken_whole(function: Function, node: ast.GeneratorExp) -> bool:
    call = function.file.parents[node]
    if not isinstance(call, ast.Call) or call.args != [node] or call.keywords:
        return False
    if not isinstance(call.func, ast.Name) or call.func.id not in _WHOLE or function.bindings.shadows(call.func.id):
        return False
    # What takes one element after the other sees each before the next one changes it.
    return call.func.id in ("list", "tuple") or not function.flow.mutates(node)


def _ends_before(node: ast.expr, other: ast.expr) -> bool:
    return (node.end_lineno or 0, node.end_col_offset or 0) <= (other.lineno, other.col_offset)


def _loop(function: Function, node: Comprehension) -> list[Edit]:
    file, flow = function.file, function.flow
    statement, renamed = file.statement_of(node), _renamed(function, node)
    empty = "{{}}" if isinstance(node, ast.DictComp) else "[]"
    if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is node:
        target = statement.targets[-1] if isinstance(statement, ast.Assign) else statement.target
        alone = isinstance(statement, ast.AnnAssign) or len(statement.targets) == 1
        alone = alone and not _is_seen_unfinished(function, statement, target)
        if alone and isinstance(target, ast.Name) and target.id not in flow.reads(node) | _targets(node):
            template, pieces = _filling(node, target.id, renamed)
            head = f"{target.id} = {empty}"
            if isinstance(statement, ast.AnnAssign):
                head, pieces = f"{target.id}: {{type}} = {empty}", {**pieces, "type": statement.annotation}
            return [Replace([statement], f"{head}\n{template}", pieces)]
    taken = flow.local_names | flow.reads(function.node.body) | _targets(node) | file.module_names
    name = fresh(taken, "kept" if any(g.ifs for g in node.generators) else "items")
    template, pieces = _filling(node, name, renamed)
    made, parent = InsertBefore(statement, f"{name} = {empty}\n{template}", pieces), file.parents[node]
    if not isinstance(node, ast.GeneratorExp) or not isinstance(parent, ast.Call):
        return [made, Replace(node, name)]
    if file.origin(parent.func) == "list":
        return [made, Replace(parent, name)]
    return [made, Replace(parent, f"{{called}}({name})", {"called": parent.func})]


def _is_seen_unfinished(function: Function, statement: ast.stmt, target: ast.expr) -> bool:
    """Whether others may read the target while a loop fills it: closures, handlers, all where it is global."""
    node: ast.AST = statement
    while node is not function.node:
        node = function.file.parents[node]
        if isinstance(node, (ast.Try, ast.TryStar)):
            return True
    return root_name(target) in function.flow.captured or root_name(target) not in function.flow.local_names


def _filling(node: Comprehension, name: str, renamed: dict[str, str]) -> tuple[str, Pieces]:
    """The loops that fill the list or dict ``name``: template and pieces."""

    def kept(part: ast.expr) -> Piece:
        if part is node.generators[0].iter:  # the names in it are those of the function
            return Piece(part)
        own = [n for n in walk(part) if isinstance(n, ast.Name) and n.id in renamed]
        return Piece(part, {n: renamed[n.id] for n in own})

    lines: list[str] = []
    pieces: dict[str, Piece] = {}
    for i, generator in enumerate(node.generators):
        indent = "    " * len(lines)
        lines.append(f"{indent}for {{target{i}}} in {{values{i}}}:")
        pieces |= {f"target{i}": kept(generator.target), f"values{i}": kept(generator.iter)}
        if generator.ifs:
            tests = {f"test{i}_{j}": kept(test) for j, test in enumerate(generator.ifs)}
            lines.append(f"{indent}    if {' and '.join(f'{{{t}}}' for t in tests)}:")
            pieces |= tests
    indent = "    " * len(lines)
    if isinstance(node, ast.DictComp):
        lines.append(f"{indent}{name}[{{key}}] = {{value}}")
        pieces |= {"key": kept(node.key), "value": kept(node.value)}
    else:
        lines.append(f"{indent}{name}.append({{element}})")
        pieces["element"] = kept(node.elt)
    return "\n".join(lines), pieces


def _targets(node: Comprehension) -> set[str]:
    return {root_name(n) for g in node.generators for n in walk(g.target) if isinstance(n, ast.Name)}


def _renamed(function: Function, node: Comprehension) -> dict[str, str]:
    """New names for the comprehension's own that mean something else in the function around it."""
    flow, names = function.flow, _targets(node)
    outside = flow.local_names | flow.reads(function.node.body)
    taken = outside | names | function.file.module_names
    return {name: fresh(taken, f"this_{name}") for name in sorted(names & outside)}
