"""What module-index must know of containers of modules and of the loops over them."""

from __future__ import annotations

import ast
import keyword
from dataclasses import dataclass

from tsrefactor.facts.file import Class, Function

CONTAINERS = {"torch.nn.ModuleList": "layer", "torch.nn.Sequential": "layer", "torch.nn.ParameterList": "param"}
_SEEN = {
    "torch.nn.modules.container.ModuleList": "torch.nn.ModuleList",
    "torch.nn.modules.container.Sequential": "torch.nn.Sequential",
    "torch.nn.modules.container.ParameterList": "torch.nn.ParameterList",
}


def container_kind(function: Function, node: ast.expr) -> str | None:
    """``torch.nn.ModuleList``, ``Sequential`` or ``ParameterList`` when an expression is one; for a diagnosis that says
    so without more, ``torch.nn.ModuleList``."""
    attribute = function.self_attribute(node)
    cls = function.cls
    if attribute is not None and cls is not None:
        for c in (cls, *cls.ancestors):
            for _, value in c.assigned.get(attribute, ()):
                if isinstance(value, ast.Call) and (kind := c.file.origin(value.func)) in CONTAINERS:
                    return kind
            if c.assigned.get(attribute):
                break
        if cls.observed is not None:
            kinds = [_SEEN[k] for k in cls.observed.children.get(attribute, ()) if k in _SEEN]
            if kinds:
                return kinds[0]
    if isinstance(node, ast.Name) and (outer := _iterated(function, node.id)) is not None:
        attribute = function.self_attribute(outer)
        for element in _elements(cls, attribute) if attribute is not None and cls is not None else ():
            kind = function.file.origin(element.func) if isinstance(element, ast.Call) else ""
            if kind in CONTAINERS:
                return kind
    if attribute is not None or isinstance(node, ast.Name):
        at = (node.lineno, node.col_offset)
        told = any(
            d.kind == "integer-literal-index" and d.place and (d.place.line, d.place.column) == at
            for d in function.file.diagnoses
        )
        return (
            "torch.nn.ModuleList" if told and function.type_of(node).name not in ("List", "Tuple", "Tensor") else None
        )
    return None


def _iterated(function: Function, name: str) -> ast.expr | None:
    """What the loop goes over whose variable is ``name``: ``a`` in ``for i, name in enumerate(a)``."""
    for loop in function.nodes:
        if isinstance(loop, ast.For):
            pairs = dict(_pairs(function, loop.target, loop.iter))
            if name in pairs:
                return pairs[name]
    return None


def _pairs(function: Function, target: ast.expr, over: ast.expr) -> list[tuple[str, ast.expr]]:
    origin = function.file.origin(over.func) if isinstance(over, ast.Call) else ""
    if isinstance(target, ast.Name):
        return [(target.id, over)]
    if isinstance(target, ast.Tuple) and isinstance(over, ast.Call):
        if origin == "enumerate" and len(target.elts) == 2 and over.args:
            return _pairs(function, target.elts[1], over.args[0])
        if origin == "zip" and len(target.elts) == len(over.args):
            return [p for t, a in zip(target.elts, over.args, strict=True) for p in _pairs(function, t, a)]
    return []


def _elements(cls: Class, attribute: str) -> list[ast.expr]:
    """Expressions of the modules that ``self.attribute`` is built of, as far as they are written there."""
    found: list[ast.expr] = []
    for _, value in cls.assigned.get(attribute, ()):
        if isinstance(value, ast.Call) and value.args:
            listed = value.args[0]
            found += listed.elts if isinstance(listed, (ast.List, ast.Tuple)) else []
            found += [listed.elt] if isinstance(listed, (ast.ListComp, ast.GeneratorExp)) else []
    return found + [call.args[0] for _, call in _appended(cls, attribute)]


def _appended(cls: Class, attribute: str) -> list[tuple[Function, ast.Call]]:
    """The calls ``self.attribute.append(module)``."""
    return [
        (method, node)
        for method in cls.methods.values()
        for node in method.nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "append"
        and method.self_attribute(node.func.value) == attribute
        and len(node.args) == 1
    ]


def lengths(function: Function, base: ast.expr) -> set[str]:
    """Expressions that are sure to give the number of modules in ``self.attribute``; empty where nothing says so."""
    found = {f"len({ast.unparse(base)})"}
    attribute, cls = function.self_attribute(base), function.cls
    if attribute is None or cls is None:
        return found
    owner = next((c for c in (cls, *cls.ancestors) if c.assigned.get(attribute)), None)
    if owner is None or len(owner.assigned[attribute]) != 1:
        return found
    method, value = owner.assigned[attribute][0]
    appended = _appended(owner, attribute)
    counted: str | None = None
    if isinstance(value, ast.Call) and len(value.args) == 1 and not appended:
        listed = value.args[0]
        if isinstance(listed, (ast.List, ast.Tuple)) and not any(isinstance(e, ast.Starred) for e in listed.elts):
            counted = str(len(listed.elts))
        elif isinstance(listed, (ast.ListComp, ast.GeneratorExp)) and len(listed.generators) == 1:
            generator = listed.generators[0]
            counted = _range_length(method, generator.iter) if not generator.ifs else None
    elif isinstance(value, ast.Call) and not value.args and len(appended) == 1 and appended[0][0] is method:
        loop = method.file.parents[method.file.statement_of(appended[0][1])]
        if isinstance(loop, ast.For) and method.file.parents[loop] is method.node:
            counted = _range_length(method, loop.iter)
    return found | {counted} | _stored_as(owner, method, counted) if counted else found


def _range_length(method: Function, over: ast.expr) -> str | None:
    """``n`` of ``range(n)`` when nothing in the method changes it."""
    if not isinstance(over, ast.Call) or method.file.origin(over.func) != "range" or len(over.args) != 1:
        return None
    return (
        ast.unparse(over.args[0])
        if not method.flow.reads(over.args[0]) & method.flow.writes(method.node.body)
        else None
    )


def _stored_as(cls: Class, method: Function, text: str) -> set[str]:
    """``self.n`` for every attribute that only that method sets, once, to the same expression."""
    return {
        f"self.{name}"
        for name, values in cls.assigned.items()
        if len(values) == 1
        and values[0][0] is method
        and values[0][1] is not None
        and ast.unparse(values[0][1]) == text
    }


def element_name(attribute: str, kind: str) -> str:
    """What to call one of them: ``layer`` for ``layers``, ``block`` for ``block_list``."""
    word = attribute.rpartition(".")[2].strip("_").lower()
    for ending, singular in (("_list", ""), ("list", ""), ("ies", "y"), ("sses", "ss"), ("xes", "x"), ("s", "")):
        if (word.endswith(ending) and not word.endswith("ss")) or (word.endswith(ending) and ending == "sses"):
            word = word[: -len(ending)] + singular
            break
    else:
        word = ""
    word = word.strip("_")
    usable = word.isidentifier() and not keyword.iskeyword(word) and len(word) > 1
    return word if usable else CONTAINERS.get(kind, "layer")


@dataclass
class Loop:
    """One ``for`` statement. ``taken``: names in the function, and those given away since."""

    function: Function
    node: ast.For
    taken: set[str]

    def fresh(self, *wanted: str) -> str:
        """The first of the names, or the last with a number, that the function does not have."""
        numbered = (f"{wanted[-1]}_{n}" for n in range(2, 1000))
        name = next(n for n in (*wanted, *numbered) if n not in self.taken)
        self.taken.add(name)
        return name

    def indexed(self) -> dict[str, list[ast.Subscript]]:
        """Container → its reads at the loop's own index, in a loop over a range."""
        if not isinstance(self.node.target, ast.Name) or not isinstance(self.node.iter, ast.Call):
            return {}
        if self.function.file.origin(self.node.iter.func) != "range":
            return {}
        found: dict[str, list[ast.Subscript]] = {}
        for statement in self.node.body:
            for node in ast.walk(statement):
                if (
                    isinstance(node, ast.Subscript)
                    and isinstance(node.slice, ast.Name)
                    and node.slice.id == self.node.target.id
                    and container_kind(self.function, node.value) is not None
                ):
                    found.setdefault(ast.unparse(node.value), []).append(node)
        return found

    def refusal(self) -> str | None:
        """Why the loop cannot become one that TorchScript unrolls."""
        names = {n.id for n in ast.walk(self.node.target) if isinstance(n, ast.Name)}
        changed = names & self.function.flow.writes(self.node.body)
        if self.node.orelse:
            return "the loop has an `else`"
        if changed:
            return f"`{changed.pop()}` is assigned in the loop"
        if _leaves(self.node.body):
            return "an unrolled loop cannot have `break` or `continue`"
        return None

    def unbound_after(self) -> str | None:
        """A name that only the loop defines and that is read after it: behind a guard TorchScript refuses it."""
        flow = self.function.flow
        assigned = flow.writes(self.node.body) | flow.writes(self.node.target)
        return min((assigned & flow.live_after(self.node)) - flow.bound_before(self.node), default=None)

    def is_fixed(self, node: ast.expr) -> bool:
        """Whether an expression has one value for all rounds of the loop, and no side effect."""
        flow = self.function.flow
        return flow.is_pure(node) and not flow.reads(node) & (
            flow.writes(self.node.body) | flow.writes(self.node.target)
        )


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether a ``break`` or ``continue`` belongs to the loop around these statements."""
    for statement in body:
        if isinstance(statement, (ast.Break, ast.Continue)):
            return True
        if isinstance(statement, (ast.For, ast.While)):
            if _leaves(statement.orelse):
                return True
        elif not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            inner = [s for field in ("body", "orelse", "finalbody") for s in getattr(statement, field, [])]
            if _leaves(inner):
                return True
    return False


@dataclass(frozen=True)
class Part:
    """Which of the modules a range takes. ``guard``: the condition on the index, "" for all of them. ``presumed``:
    nothing in the source says that the range's end is the number of modules."""

    guard: str
    presumed: bool


def part_of(loop: Loop, bases: list[ast.expr]) -> Part | str:
    """The part of the containers that a range goes over; the reason where the loop cannot go over them in order."""
    assert isinstance(loop.node.iter, ast.Call) and isinstance(loop.node.target, ast.Name)
    arguments, index = loop.node.iter.args, loop.node.target.id
    if len(arguments) == 3 and ast.unparse(arguments[2]) != "1":
        return "the range has a step"
    start, stop = (arguments[0], arguments[1]) if len(arguments) > 1 else (None, arguments[0])
    lower = upper = ""
    if start is not None and ast.unparse(start) != "0":
        if not loop.is_fixed(start):
            return "the range's start changes in the loop"
        lower = f"{index} >= {ast.unparse(start)}"
        if isinstance(start, ast.UnaryOp):
            return "the range starts below zero"
    text, presumed = ast.unparse(stop), False
    known = set().union(*(lengths(loop.function, b) for b in bases))
    counts = {k for k in known if k.isdigit()}
    if text not in known:
        unsure = isinstance(stop, ast.Constant) or loop.function.self_attribute(stop) is not None
        if unsure and not (isinstance(stop, ast.Constant) and counts):
            presumed = True
        elif not loop.is_fixed(stop):
            return "the range's end changes in the loop"
        else:
            upper = f"{index} < {text}"
    if lower and upper:
        start_text = ast.unparse(start) if start is not None else ""
        return Part(f"{start_text} <= {index} < {text}", presumed)
    return Part(lower or upper, presumed)
