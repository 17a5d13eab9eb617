"""Containers of modules, the indices into them and the loops over them."""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
from dataclasses import dataclass

from .definitions import Function
from .filling import elements_of, is_left, iterated, lengths, values_of
from .names import fresh

CONTAINERS = {"torch.nn.ModuleList": "layer", "torch.nn.Sequential": "layer", "torch.nn.ParameterList": "param"}
_SINGULAR = tuple(pair.split(":") for pair in "_list: list: ies:y sses:ss xes:x ches:ch shes:sh s:".split())
_SEEN = {kind.replace("torch.nn.", "torch.nn.modules.container."): kind for kind in CONTAINERS}


def container_kind(function: Function, node: ast.expr) -> str | None:
    """``torch.nn.ModuleList``, ``Sequential`` or ``ParameterList`` when an expression is one; for a diagnosis that says
    so without more, ``torch.nn.ModuleList``."""
    attribute = function.self_attribute(node)
    cls = function.cls
    if attribute is not None and cls is not None:
        for c in (cls, *cls.ancestors):
            for _, value in values_of(c, attribute):
                if isinstance(value, ast.Call) and (kind := c.file.origin(value.func)) in CONTAINERS:
                    return kind
            if c.assigned.get(attribute):
                break
        if cls.observed is not None:
            kinds = [_SEEN[k] for k in cls.observed.children.get(attribute, ()) if k in _SEEN]
            if kinds:
                return kinds[0]
    if isinstance(node, ast.Name) and (outer := iterated(function, node.id)) is not None:
        attribute = function.self_attribute(outer)
        family = (cls, *cls.ancestors) if attribute is not None and cls is not None else ()
        for element in (e for c in family for e in elements_of(c, attribute or "")):
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


def element_name(attribute: str, kind: str) -> str:
    """What to call one of them: ``layer`` for ``layers``, ``block`` for ``block_list``."""
    word = attribute.rpartition(".")[2].strip("_").lower()
    for ending, singular in _SINGULAR:
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

    @property
    def numbered(self) -> ast.expr | None:
        """``a`` of ``for i, layer in enumerate(a)``, where that is a container of modules."""
        over, target = self.node.iter, self.node.target
        if not isinstance(over, ast.Call) or len(over.args) != 1 or over.keywords or not isinstance(target, ast.Tuple):
            return None
        named = len(target.elts) == 2 and all(isinstance(e, ast.Name) for e in target.elts)
        modules = self.function.file.origin(over.func) == "enumerate" and container_kind(self.function, over.args[0])
        return over.args[0] if named and modules else None

    @property
    def index(self) -> str | None:
        """The variable that counts the rounds of a loop over a range, or over a container that is numbered."""
        over, target = self.node.iter, self.node.target
        if isinstance(target, ast.Tuple) and self.numbered is not None:
            target = target.elts[0]
        elif not isinstance(over, ast.Call) or self.function.file.origin(over.func) != "range":
            return None
        return target.id if isinstance(target, ast.Name) else None

    def indexed(self) -> dict[str, list[ast.Subscript]]:
        """Container → its reads at the loop's own index."""
        index = self.index
        if index is None:
            return {}
        found: dict[str, list[ast.Subscript]] = {}
        for statement in self.node.body:
            for node in ast.walk(statement):
                if (
                    isinstance(node, ast.Subscript)
                    and isinstance(node.slice, ast.Name)
                    and node.slice.id == index
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
        if guarded and (read := names & self.function.flow.live_after(self.node)):
            return f"`{min(read)}` is read after it"  # it goes over all of them now
        unbound = self.unbound_after() if guarded else None
        return f"`{unbound}` is only defined in the loop" if unbound else None

    def are_alike(self, bases: list[ast.expr]) -> bool:
        """Whether containers are sure to hold equally many modules."""
        return len(bases) < 2 or bool(set.intersection(*(lengths(self.function, base) for base in bases)))

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
    if loop.numbered is not None:
        guard = ""
        for base, reads in used.items():
            if base != ast.unparse(loop.numbered) and not loop.reads_in_every_round(reads[0].value):
                raise NotInOrder(f"`{base}` is read only under a condition: it may hold fewer modules")
    else:
        guard = guard_of(loop, [reads[0].value for reads in used.values()]) if used else ""
    if any(not isinstance(read.ctx, ast.Load) for reads in used.values() for read in reads):
        raise NotInOrder("the loop replaces modules")
    if used and (reason := loop.refusal(guarded=bool(guard))):
        raise NotInOrder(reason)
    return used, guard
