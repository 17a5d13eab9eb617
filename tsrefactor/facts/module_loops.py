"""Containers of modules, the indices into them and the loops over them."""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
from dataclasses import dataclass

from .definitions import Class, Function
from .names import fresh

CONTAINERS = {"torch.nn.ModuleList": "layer", "torch.nn.Sequential": "layer", "torch.nn.ParameterList": "param"}
_SEEN = {kind.replace("torch.nn.", "torch.nn.modules.container."): kind for kind in CONTAINERS}


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
        for element in elements_of(cls, attribute) if attribute is not None and cls is not None else ():
            kind = function.file.origin(element.func) if isinstance(element, ast.Call) else ""
            if kind in CONTAINERS:
                return kind
    if attribute is not None or isinstance(node, (ast.Name, ast.Attribute)):
        at = (node.lineno, node.col_offset)
        told = any(
            d.kind == "integer-literal-index" and d.place and (d.place.line, d.place.column) == at
            for d in function.file.diagnoses
        )
        return (
            "torch.nn.ModuleList" if told and function.type_of(node).name not in ("List", "Tuple", "Tensor") else None
        )
    return None


def holds_containers(function: Function, base: ast.expr) -> bool:
    """Whether ``self.attribute`` is built of nothing but containers of modules."""
    attribute, cls = function.self_attribute(base), function.cls
    if attribute is None or cls is None or container_kind(function, base) is None:
        return False
    made = [(c, e) for c in (cls, *cls.ancestors) for e in elements_of(c, attribute)]
    return bool(made) and all(isinstance(e, ast.Call) and c.file.origin(e.func) in CONTAINERS for c, e in made)


def _iterated(function: Function, name: str) -> ast.expr | None:
    """What the loop goes over whose variable is ``name``: ``a`` in ``for i, name in enumerate(a)``."""
    for loop in function.of(ast.For):
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


def elements_of(cls: Class, attribute: str) -> list[ast.expr]:
    """Expressions of the modules that ``self.attribute`` is built of, as far as they are written there."""
    found: list[ast.expr] = []
    for _, value in cls.assigned.get(attribute, ()):
        listed = value.args[0] if isinstance(value, ast.Call) and value.args else value
        found += listed.elts if isinstance(listed, (ast.List, ast.Tuple)) else []
        found += [listed.elt] if isinstance(listed, (ast.ListComp, ast.GeneratorExp)) else []
    return found + [call.args[0] for _, call in _appended(cls, attribute)]


def _appended(cls: Class, attribute: str) -> list[tuple[Function, ast.Call]]:
    """The calls ``self.attribute.append(module)``."""
    return [
        (method, node)
        for method in cls.methods.values()
        for node in method.of(ast.Call)
        if isinstance(node.func, ast.Attribute)
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
        elif isinstance(listed, ast.Name) and (filling := _filling(method, listed)) is not None:
            counted = _rounds(method, filling)
    elif isinstance(value, ast.Call) and not value.args and len(appended) == 1 and appended[0][0] is method:
        counted = _rounds(method, appended[0][1])
    if counted is None:
        return found
    lasting = counted.isdigit() or method is function or _set_once(owner, counted)  # a local name ends with its method
    return found | ({counted} if lasting else set()) | _stored_as(owner, method, counted)


def _filling(method: Function, handed: ast.Name) -> ast.Call | None:
    """The one ``append`` to a local list that starts empty, is filled, and then only handed over."""
    parents = method.file.parents
    uses = [n for n in method.of(ast.Name) if n.id == handed.id and n is not handed]
    starts = [parents[n] for n in uses if isinstance(n.ctx, ast.Store)]
    calls = [parents[p] for n in uses if isinstance(p := parents[n], ast.Attribute) and p.attr == "append"]
    if len(uses) != 2 or len(starts) != 1 or len(calls) != 1:
        return None
    [start], [call] = starts, calls
    if not isinstance(start, ast.Assign) or not isinstance(call, ast.Call) or parents[start] is not method.node:
        return None
    empty = isinstance(start.value, ast.List) and not start.value.elts
    return call if empty and len(call.args) == 1 and start.lineno < call.lineno < handed.lineno else None


def _rounds(method: Function, call: ast.Call) -> str | None:
    """How often a call that is a statement of a loop is made, where that loop is over ``range(n)``."""
    loop = method.file.parents[method.file.statement_of(call)]
    if not isinstance(loop, ast.For) or method.file.parents[loop] is not method.node or is_left(loop.body):
        return None
    return _range_length(method, loop.iter)


def _range_length(method: Function, over: ast.expr) -> str | None:
    """``n`` of ``range(n)`` when nothing in the method changes it."""
    if not isinstance(over, ast.Call) or method.file.origin(over.func) != "range" or len(over.args) != 1:
        return None
    return (
        ast.unparse(over.args[0])
        if not method.flow.reads(over.args[0]) & method.flow.writes(method.node.body)
        else None
    )


def _set_once(cls: Class, text: str) -> bool:
    """Whether the text is ``self.n``, and the class assigns that once."""
    head, _, name = text.partition(".")
    return head == "self" and len(cls.assigned.get(name, ())) == 1


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
        if word.endswith(ending) and not word.endswith("ss"):
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
        name = fresh(self.taken, *wanted)
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

    def reads_in_every_round(self, base: ast.expr) -> bool:
        """Whether a container is read at the loop's index whatever happens in the round."""
        text, parents = ast.unparse(base), self.function.file.parents
        return any(self._always(node, parents) for node in self.indexed()[text])

    def _always(self, node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
        while (parent := parents[node]) is not self.node:
            in_test = isinstance(parent, (ast.If, ast.IfExp, ast.While)) and node is parent.test
            over = isinstance(parent, ast.For) and node is parent.iter
            first = isinstance(parent, ast.BoolOp) and node is parent.values[0]
            sometimes = (ast.If, ast.IfExp, ast.While, ast.For, ast.Try, ast.BoolOp, ast.Lambda, ast.comprehension,
                         ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)  # fmt: skip
            if isinstance(parent, sometimes) and not (in_test or over or first):
                return False
            node = parent
        return True

    def refusal(self, guarded: bool = False) -> str | None:
        """Why the loop cannot become one that TorchScript unrolls (``guarded``: with its body behind a condition)."""
        names = {n.id for n in ast.walk(self.node.target) if isinstance(n, ast.Name)}
        changed = names & self.function.flow.writes(self.node.body)
        if self.node.orelse:
            return "the loop has an `else`"
        if changed:
            return f"`{min(changed)}` is assigned in the loop"
        if is_left(self.node.body):
            return "an unrolled loop cannot have `break` or `continue`"
        unbound = self.unbound_after() if guarded else None
        return f"`{unbound}` is only defined in the loop" if unbound else None

    def unbound_after(self) -> str | None:
        """A name that only the loop defines and that is read after it: behind a guard TorchScript refuses it."""
        flow = self.function.flow
        assigned = flow.writes(self.node.body) | flow.writes(self.node.target)
        return min((assigned & flow.live_after(self.node)) - flow.bound_before(self.node), default=None)

    def beside(self) -> str:
        """The comment beside the loop's header, with two spaces before it; or ""."""
        source = self.function.file.source
        text = source.text[source.span(self.node.iter)[1] : source.offset(self.node.body[0].lineno, 0)]
        header = f"({text.partition(chr(10))[0].lstrip(') ')}\n)"
        tokens = tokenize.generate_tokens(io.StringIO(header).readline)
        return next(("  " + token.string for token in tokens if token.type == tokenize.COMMENT), "")

    def below(self, depth: int) -> str:
        """Comment lines that end the loop's body, indented by so many steps."""
        source, found = self.function.file.source, []
        for line in source.lines[self.node.end_lineno or self.node.lineno :]:
            bare = line.strip()
            outside = len(line) - len(line.lstrip()) < self.node.body[0].col_offset
            if bare and (outside or not bare.startswith("#")):
                break
            found.append("    " * depth + bare if bare else "")
        while found and not found[-1]:
            found.pop()
        return "\n".join(found)

    def is_fixed(self, node: ast.expr) -> bool:
        """Whether an expression has one value for all rounds of the loop, and no side effect."""
        flow = self.function.flow
        return flow.is_pure(node) and not flow.reads(node) & (
            flow.writes(self.node.body) | flow.writes(self.node.target)
        )


def is_left(body: list[ast.stmt]) -> bool:
    """Whether a ``break`` or ``continue`` belongs to the loop around these statements."""
    for statement in body:
        if isinstance(statement, (ast.Break, ast.Continue)):
            return True
        if isinstance(statement, (ast.For, ast.While)):
            if is_left(statement.orelse):
                return True
        elif not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            inner = [s for field in ("body", "orelse", "finalbody") for s in getattr(statement, field, [])]
            if is_left(inner):
                return True
    return False


class NotInOrder(Exception):
    """Why a loop cannot go over its containers in order."""


def guard_of(loop: Loop, bases: list[ast.expr]) -> str:
    """The condition on the index that tells the part of the containers which a range goes over, "" for all of them.

    Raises NotInOrder where the loop cannot go over the containers in order.
    """
    assert isinstance(loop.node.iter, ast.Call) and isinstance(loop.node.target, ast.Name)
    arguments, index = loop.node.iter.args, loop.node.target.id
    if len(arguments) == 3 and ast.unparse(arguments[2]) != "1":
        raise NotInOrder("the range has a step")
    start, stop = (arguments[0], arguments[1]) if len(arguments) > 1 else (None, arguments[0])
    lower = upper = ""
    if start is not None and ast.unparse(start) != "0":
        if not loop.is_fixed(start):
            raise NotInOrder("the range's start changes in the loop")
        if isinstance(start, ast.UnaryOp):
            raise NotInOrder("the range starts below zero")
        lower = f"{index} >= {ast.unparse(start)}"
    text = ast.unparse(stop)
    known = [text in lengths(loop.function, base) for base in bases]
    for base, sure in zip(bases, known, strict=True):
        if not sure and not loop.reads_in_every_round(base):
            raise NotInOrder(f"`{ast.unparse(base)}` is read only under a condition: it may hold fewer modules")
    if not any(known):  # eager reads a module in each round, so there are at least as many
        if not loop.is_fixed(stop):
            raise NotInOrder("the range's end changes in the loop")
        upper = f"{index} < {text}"
    return f"{ast.unparse(start)} <= {index} < {text}" if start is not None and lower and upper else lower or upper


def in_order(loop: Loop) -> tuple[dict[str, list[ast.Subscript]], str]:
    """The containers that a loop over a range reads at its index, which a loop over them can take the place of: their
    reads, and the condition on the index (see `guard_of`). Raises NotInOrder where it cannot."""
    used = loop.indexed()
    guard = guard_of(loop, [reads[0].value for reads in used.values()]) if used else ""
    if any(not isinstance(read.ctx, ast.Load) for reads in used.values() for read in reads):
        raise NotInOrder("the loop replaces modules")
    if used and (reason := loop.refusal(guarded=bool(guard))):
        raise NotInOrder(reason)
    return used, guard
