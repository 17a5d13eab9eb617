"""What code must be given to be a function of its own: arguments, and assignments that the function is to repeat."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from tsrefactor.source.imports import Import

from .definitions import Function
from .layer_functions import layer_function
from .own_tensors import may_lack
from .placement import is_elif
from .plain_methods import function_name, plain_method
from .reaching import Reaching
from .scriptable import BUILTINS, module_constants
from .types import BOOL, COMPLEX, FLOAT, INT, STR, TENSOR, Type, optional

_PLAIN = frozenset({INT, FLOAT, BOOL, STR, COMPLEX})


class Unmovable(Exception):
    """Why the code cannot become a TorchScript function, as the end of "…: it calls self.conv"."""


@dataclass(frozen=True)
class Argument:
    """A parameter of the new function and what the caller passes for it. A `TENSOR` needs no annotation.

    A ``size`` is a tensor in a trace only; `moved` makes it one where it may be a number there, too.
    """

    name: str
    value: str
    type: Type = TENSOR
    size: bool = False


class Passing:
    """What a function of some code needs: ``arguments``, ``definitions`` (earlier assignments that it repeats, in
    order), ``changes`` (new source of expressions in it: ``self.scale`` → ``scale``), ``methods`` (that must become
    functions), ``layers`` (whose functions it calls), ``imports``, and ``checks`` (what it asserts before statements).
    ``presumed``: a parameter that nothing speaks for is taken for a tensor.

    ``code`` stands in the statement ``at``, or is it and those after it; ``needed`` are the local names that it reads.
    With ``frozen``, names whose numbers a trace keeps, other sizes are passed where nothing can be repeated: in a trace
    they are tensors, and ``int(n)`` is recorded in compiled code.
    """

    def __init__(
        self,
        function: Function,
        code: Sequence[ast.AST],
        at: ast.stmt,
        needed: set[str],
        frozen: Set[str] | None = None,
    ):
        self.function, self.flow, self.file = function, function.flow, function.file
        self.code, self._frozen = code, frozen
        self._reaching = Reaching(function, code, at)
        self.arguments: list[Argument] = []
        self.definitions: list[ast.stmt] = []
        self.changes: dict[ast.expr, str] = {}
        self.checks: dict[ast.stmt, str] = {}
        self.methods: list[Function] = []
        self.layers: list[str] = []
        self.imports: frozenset[Import] = frozenset()
        self.presumed = False
        self._collect(needed - {function.self_name or ""})
        self._close_over()
        rank = {n: i for i, n in enumerate(in_order([*self.definitions, *code]))}
        self.arguments.sort(
            key=lambda a: (a.type != TENSOR, a.size, rank.get(a.value.partition(".")[0], len(rank)), a.name)
        )

    def _collect(self, needed: set[str]) -> None:
        seen: set[str] = set()
        while needed - seen:
            name = min(needed - seen)
            seen.add(name)
            definition = self._pass(name)
            if definition is not None and definition not in self.definitions:
                self.definitions.append(definition)
                seen |= self.flow.writes(definition)
                needed |= self.flow.free([definition]) - {self.function.self_name}
        self.definitions.sort(key=lambda s: s.lineno)

    def _pass(self, name: str) -> ast.stmt | None:
        """Makes a local name an argument, or gives the assignment that the new function is to repeat for it."""
        node, types = ast.Name(name, ast.Load()), self.function.types
        if self._is_tensor(name):
            self.presumed |= types.of(node) != TENSOR
            self.arguments.append(Argument(name, name))
            return None
        type_ = _one_number(types.of(node))
        dependence = self.function.dependence
        given = self._is_given(name)
        frozen = given or name in dependence.sized_names or name in dependence.extracted_names
        fixed = _is_plain(type_) and not frozen
        if not fixed and not given and type_ != optional(TENSOR):
            definition = self._reaching.definition(name)
            if definition is not None:
                return definition
        elif (
            fixed
            and (definition := self._reaching.definition(name)) is not None
            and self._reaching.only_here(definition)
        ):
            return definition
        if self._is_traced_size(name, type_):
            self.arguments.append(Argument(name, name, size=True))
            reads = (n for n in walk_all(self.code) if isinstance(n, ast.Name) and n.id == name)
            self.changes |= dict.fromkeys(reads, f"int({name})")
            return None
        if _holds_tensors(type_) and name not in self.flow.mutates(self.code):
            self.arguments.append(Argument(name, name, type_))
            return None
        if type_ != optional(TENSOR) and not fixed:
            why = "is a number taken from a tensor" if frozen else "is not known to be a tensor"
            raise Unmovable(f"it needs {name}, which {why}")
        self.arguments.append(Argument(name, name, self._as_called(name, type_)))
        return None

    def _is_given(self, name: str) -> bool:
        """Whether a variable holds a size or number that is made of what a call in the file gives a parameter."""
        if any(p.name == name for p in self.function.parameters):
            return False
        dependence, node = self.function.dependence, ast.Name(name, ast.Load())
        if name in dependence.sized_names or name in dependence.extracted_names:
            return False
        return dependence.may_be_sized(node) or dependence.may_be_extracted(node)

    def _is_traced_size(self, name: str, type_: Type) -> bool:
        if self._frozen is None or type_ != INT or name in self._frozen:
            return False
        dependence, node = self.function.dependence, ast.Name(name, ast.Load())
        return dependence.may_be_sized(node) and not dependence.may_be_extracted(node)

    def _as_called(self, name: str, type_: Type) -> Type:
        """The type of a name, where a call in the file gives the parameter of a whole number a float: that.

        Raises Unmovable when a call gives the number parameter a size: it would be frozen in the helper. A number that
        a call takes from its own parameters, or that nothing in the file gives, is presumed to be none.
        """
        parameter = next((p for p in self.function.parameters if p.name == name), None)
        if parameter is None:
            return type_
        given = list(self._given(name))
        for caller, value in given:
            if caller.dependence.is_sized(value) or caller.dependence.is_extracted(value):
                where = f"where {self.function.name} is called"
                raise Unmovable(f"it needs {name}, which is a number taken from a tensor {where}")
        plain = all(isinstance(v, ast.Constant) or caller.self_attribute(v) is not None for caller, v in given)
        self.presumed |= type_ == INT and not (plain if given else parameter.default is not None)
        floats = any(caller.type_of(value) == FLOAT for caller, value in given)
        return FLOAT if type_ == INT and floats else type_

    def _given(self, name: str) -> Iterator[tuple[Function, ast.expr]]:
        """What the calls in the file pass for a parameter, with the function that calls."""
        names = [p.name for p in self.function.parameters]
        for caller in self.file.functions:
            for call in caller.of(ast.Call):
                if self._calls_this(caller, call):
                    given = dict(zip(names, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}
                    if name in given:
                        yield caller, given[name]

    def _calls_this(self, caller: Function, call: ast.Call) -> bool:
        cls = self.function.cls
        if cls is None:
            return self.file.function_named(self.file.origin(call.func)) is self.function
        attribute = caller.self_attribute(call.func)
        if attribute is None or caller.cls is None:
            return False
        if caller.cls.method(attribute) is self.function:
            return True
        values = (v for _, v in caller.cls.assigned.get(attribute, ()) if v is not None)
        return self.function.name == "forward" and any(
            isinstance(n, ast.Name) and n.id == cls.name for v in values for n in ast.walk(v)
        )

    # -- what is not a local name ------------------------------------------------------------------------------------

    def _close_over(self) -> None:
        """Makes arguments of attributes of the instance and of the module's constants."""
        code = [*self.definitions, *self.code]
        taken = self.flow.reads(code) | self.flow.writes(code)
        names: dict[str, str] = {}
        for node in walk_all(code):
            attribute = self.function.self_attribute(node)
            call = self.file.parents[node] if attribute is not None else None
            method = plain_method(self.function, call) if isinstance(call, ast.Call) and call.func is node else None
            if method is not None:
                assert isinstance(node, ast.Attribute)
                name = function_name(method)
                if name in self.flow.local_names:
                    raise Unmovable(f"a local takes the name of the function {name}")
                self.changes[node] = name
                self.methods += [method] if method not in self.methods else []
            elif isinstance(call, ast.Call) and call.func is node and layer_function(self.function, call) is not None:
                self._call_function(call)
            elif attribute is not None:
                assert isinstance(node, ast.Attribute)
                if attribute not in names:
                    names[attribute] = attribute if attribute not in taken else f"own_{attribute}"
                    self.arguments.append(self._own(node, attribute, names[attribute]))
                self.changes[node] = names[attribute]
        whole = sum(isinstance(n, ast.Name) and n.id == self.function.self_name for n in walk_all(code))
        own = sum(self.function.self_attribute(n) is not None for n in self.changes)
        if self.function.self_name is not None and whole > own:
            raise Unmovable(f"it uses {self.function.self_name} itself")
        constants = module_constants(self.function, code)
        known = set(self.file.imports.origins) | set(constants) | self.flow.local_names | BUILTINS
        for name in sorted(self.flow.reads(code) - known):
            if self.file.function_named(name) is None:
                raise Unmovable(f"it reads {name} from outside the function")
        for name, constant in sorted(constants.items()):
            type_ = self.function.type_of(constant)
            if type_ not in _PLAIN:
                raise Unmovable(f"it reads the global {name}")
            self.arguments.append(Argument(name, name, type_))

    def _call_function(self, call: ast.Call) -> None:
        """Calls the function of a layer that has no parameters, with what its constructor was given."""
        layer = layer_function(self.function, call)
        assert layer is not None
        self.changes[call.func], needed = self.file.spell(layer.origin)
        self.imports |= needed
        self.layers.append(ast.unparse(call.func))
        if not layer.settings:
            return
        last = max((*call.args, *(k.value for k in call.keywords)), key=lambda a: (a.lineno, a.col_offset))
        if self.function.self_name in self.flow.reads(last) or any(n in self.changes for n in ast.walk(last)):
            raise Unmovable(f"it calls {ast.unparse(call.func)}")
        if self.file.source.text[self.file.source.span(last)[1] : self.file.source.span(call)[1]].count(")") > 1:
            raise Unmovable(f"parentheses stand around what {ast.unparse(call.func)} is given")
        self.changes[last] = f"{self.file.source.segment(last)}, {', '.join(layer.settings)}"

    def _own(self, node: ast.Attribute, attribute: str, name: str) -> Argument:
        """The argument for an attribute of the instance. Where only some instances have it, and a branch of the code
        reads it, it is passed as an Optional.
        """
        value, type_ = f"{self.function.self_name}.{attribute}", self._attribute_type(node, attribute)
        roots = {*self.definitions, *self.code}
        uses = [n for n in walk_all(roots) if self.function.self_attribute(n) == attribute]
        lacking = type_ == TENSOR and may_lack(self.function, attribute)
        if not lacking or any(self._always_comes_to(n, roots) for n in uses):
            return Argument(name, value, type_)
        for use in uses:
            statement = self.file.statement_of(use)
            if is_elif(self.file, statement) or not self._always_comes_to(use, {statement}):
                raise Unmovable(f"it needs {value}, which not every instance has")
            block = self.file.block_of(statement)
            first = next(s for s in block if any(n in uses for n in ast.walk(s)))
            self.checks[first] = f"assert {name} is not None"
        return Argument(name, f"getattr({self.function.self_name}, '{attribute}', None)", optional(TENSOR))

    def _always_comes_to(self, node: ast.AST, roots: Set[ast.AST]) -> bool:
        """Whether the code around it always evaluates a node."""
        while node not in roots:
            parent = self.file.parents[node]
            if isinstance(parent, (ast.BoolOp, ast.IfExp, ast.comprehension, ast.ListComp)):
                return False
            if isinstance(parent, (ast.If, ast.While, ast.For)) and node in (*parent.body, *parent.orelse):
                return False
            node = parent
        return True

    def _attribute_type(self, node: ast.Attribute, attribute: str) -> Type:
        type_, cls = _one_number(self.function.type_of(node)), self.function.cls
        if type_ in (TENSOR, optional(TENSOR)):
            return type_
        if attribute == "training":
            return BOOL
        if not _is_plain(type_):
            raise Unmovable(f"it needs {ast.unparse(node)}, which is not known to be a tensor or a number")
        assert cls is not None
        for c in (cls, *cls.ancestors, *cls.subclasses):
            if any(method.name != "__init__" for method, _ in c.assigned.get(attribute, ())):
                raise Unmovable(f"it needs {ast.unparse(node)}, which changes after construction")
        return type_

    def unneeded(self) -> set[ast.stmt]:
        """The definitions whose names nothing reads but the code and other unneeded ones."""
        unneeded = set(self.definitions)
        while True:
            inside = {n for s in (*self.code, *unneeded) for n in ast.walk(s)}
            outside = {n.id for n in ast.walk(self.function.node) if isinstance(n, ast.Name) and n not in inside}
            kept = {d for d in unneeded if not self.flow.writes(d) & outside}
            if kept == unneeded:
                return kept
            unneeded = kept

    # -- small things ------------------------------------------------------------------------------------------------

    def _is_tensor(self, name: str) -> bool:
        return self.function.types.of(ast.Name(name, ast.Load()), presume=True) == TENSOR


def _one_number(type_: Type) -> Type:
    """float for what is an int here and a float there: TorchScript computes with it alike."""
    return FLOAT if type_.name == "Union" and set(type_.args) == {INT, FLOAT} else type_


def _is_plain(type_: Type) -> bool:
    """Whether it is a number or text, or a tuple or list of these."""
    return type_ in _PLAIN or (type_.name in ("Tuple", "List") and all(map(_is_plain, type_.args)))


def _holds_tensors(type_: Type) -> bool:
    """Whether it is a list or a tuple of tensors: a trace passes each of them."""
    return type_.name in ("Tuple", "List") and bool(type_.args) and all(a == TENSOR for a in type_.args)


def walk_all(code: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of some code."""
    for root in code:
        yield from ast.walk(root)


def in_order(code: Iterable[ast.AST]) -> list[str]:
    """Names in the order in which the text first has them."""
    names = (n for n in walk_all(code) if isinstance(n, ast.Name))
    return list(dict.fromkeys(n.id for n in sorted(names, key=lambda n: (n.lineno, n.col_offset))))
