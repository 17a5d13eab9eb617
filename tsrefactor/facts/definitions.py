"""Functions and classes of a file as TorchScript would see them, with what was observed of them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, overload

from .nodes import assigned_pairs
from .observations import ClassObservations, FunctionObservations
from .types import Type
from .visible import stand_ins

if TYPE_CHECKING:
    from .file import FileFacts

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
A = TypeVar("A", bound=ast.AST)
B = TypeVar("B", bound=ast.AST)
C = TypeVar("C", bound=ast.AST)
_JIT_SKIPS = {"torch.jit.ignore", "torch.jit.unused"}


@dataclass(frozen=True, eq=False)
class Parameter:
    """One parameter of a function. ``kind``: ``positional``, ``keyword``, ``args`` or ``kwargs``."""

    name: str
    node: ast.arg
    default: ast.expr | None
    kind: str

    @property
    def annotation(self) -> ast.expr | None:
        return self.node.annotation


class Function:
    """A function or method that TorchScript may see."""

    def __init__(self, file: FileFacts, node: FunctionNode, qualname: str, cls: Class | None):
        self.file, self.node, self.qualname, self.cls = file, node, qualname, cls
        self.name = node.name
        self._of_classes: dict[tuple[type[ast.AST], ...], list[ast.AST]] = {}

    @property
    def is_static(self) -> bool:
        return any(
            isinstance(d, ast.Name) and d.id in ("staticmethod", "classmethod") for d in self.node.decorator_list
        )

    @property
    def is_class_method(self) -> bool:
        return any(isinstance(d, ast.Name) and d.id == "classmethod" for d in self.node.decorator_list)

    @cached_property
    def decorators(self) -> list[str]:
        """Origins of the decorators (``torch.no_grad``), of their calls too."""
        heads = [d.func if isinstance(d, ast.Call) else d for d in self.node.decorator_list]
        return [self.file.origin(d) for d in heads]

    @property
    def skipped(self) -> bool:
        """Whether TorchScript is told not to compile it (``@torch.jit.ignore``, ``@torch.jit.unused``)."""
        return any(d in _JIT_SKIPS for d in self.decorators)

    @cached_property
    def stand_in(self) -> str | None:
        """The name of the function beside it that TorchScript compiles in its place (``f.__wrapped__ = g``)."""
        return self._stand_ins.get(self.name)

    @cached_property
    def stands_for(self) -> str | None:
        """The name of the function beside it in whose place TorchScript compiles this one."""
        return next((name for name, twin in self._stand_ins.items() if twin == self.name), None)

    @cached_property
    def _stand_ins(self) -> dict[str, str]:
        return stand_ins(self.file.tree.body if self.cls is None else self.cls.node.body)

    @cached_property
    def parameters(self) -> list[Parameter]:
        """The parameters in order, without ``self``."""
        a = self.node.args
        positional = [*a.posonlyargs, *a.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(a.defaults)) + list(a.defaults)
        found = [Parameter(p.arg, p, d, "positional") for p, d in zip(positional, defaults, strict=True)]
        if (
            self.cls is not None
            and found
            and not any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in self.node.decorator_list)
        ):
            found = found[1:]
        if a.vararg:
            found.append(Parameter(a.vararg.arg, a.vararg, None, "args"))
        found += [Parameter(p.arg, p, d, "keyword") for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
        if a.kwarg:
            found.append(Parameter(a.kwarg.arg, a.kwarg, None, "kwargs"))
        return found

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the body (not the header), without those of nested functions, classes and lambdas."""
        return self.file.positions.bodies[self.node]

    @cached_property
    def _places(self) -> dict[type[ast.AST], list[int]]:
        """Class → where its nodes are in `nodes`."""
        found: dict[type[ast.AST], list[int]] = defaultdict(list)
        for place, node in enumerate(self.nodes):
            found[node.__class__].append(place)
        return found

    @overload
    def of(self, first: type[A], /) -> Sequence[A]: ...

    @overload
    def of(self, first: type[A], second: type[B], /) -> Sequence[A | B]: ...

    @overload
    def of(self, first: type[A], second: type[B], third: type[C], /) -> Sequence[A | B | C]: ...

    @overload
    def of(self, *classes: type[ast.AST]) -> Sequence[ast.AST]: ...

    def of(self, *classes: type[ast.AST]) -> Sequence[ast.AST]:
        """Those of `nodes` that are of these very classes (no base classes), in source order.

        An index that is made once: what asks for `ast.Call` walks over the calls, not over the function.
        """
        if classes not in self._of_classes:
            places = [p for c in classes for p in self._places.get(c, ())]
            self._of_classes[classes] = [self.nodes[p] for p in sorted(places)]
        return self._of_classes[classes]

    @cached_property
    def statements(self) -> list[ast.stmt]:
        """Every statement of the body, at any depth, in source order, without those of nested scopes."""
        return [n for n in self.nodes if isinstance(n, ast.stmt)]

    @cached_property
    def _called(self) -> dict[str, list[ast.Call]]:
        """Origin → the calls of it."""
        found: dict[str, list[ast.Call]] = {}
        for call in self.of(ast.Call):
            found.setdefault(self.file.origin(call.func), []).append(call)
        return found

    def calls(self, *origins: str) -> Iterator[ast.Call]:
        """Calls of a function by its origin: ``len``, ``torch.cat``."""
        found = [self._called[o] for o in dict.fromkeys(origins) if o in self._called]
        if len(found) < 2:
            return iter(found[0] if found else ())
        chosen = {call for calls in found for call in calls}
        return (call for call in self.of(ast.Call) if call in chosen)

    @cached_property
    def self_attributes(self) -> dict[str, list[ast.Attribute]]:
        """name → where it reads, writes or deletes ``self.name``."""
        found: dict[str, list[ast.Attribute]] = {}
        for node in self.of(ast.Attribute):
            if (name := self.self_attribute(node)) is not None:
                found.setdefault(name, []).append(node)
        return found

    @property
    def code(self) -> list[ast.stmt]:
        """The statements of its body without its docstring."""
        return [s for s in self.node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]

    @cached_property
    def self_name(self) -> str | None:
        """What the method calls its instance; None for free functions and static methods."""
        a = self.node.args
        first = [*a.posonlyargs, *a.args][:1]
        return first[0].arg if first and self.cls is not None and not self.is_static else None

    def self_attribute(self, node: ast.AST) -> str | None:
        """``name`` when the node is ``self.name``."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == self.self_name:
            return node.attr
        return None

    # -- what was observed -----------------------------------------------------------------------------------------

    @cached_property
    def observed(self) -> FunctionObservations | None:
        """What recorded runs saw of it; None without a recording or when it was never called."""
        return self.file.observed_function(self)

    def reached(self, statement: ast.stmt) -> bool | None:
        """Whether a recorded run executed the statement; None when nothing is known (no recording, inserted line)."""
        if self.file.observations is None:
            return None
        line = self.file.document.original_line(statement.lineno)
        if self.observed is None or line is None:
            return None if line is None else False
        return line in self.observed.lines

    # -- types -----------------------------------------------------------------------------------------------------

    @cached_property
    def bindings(self):  # -> bindings.Bindings; a lazy import keeps the two modules apart
        from .bindings import Bindings

        return Bindings(self)

    @cached_property
    def types(self):  # -> inference.Inference
        from .inference import Inference

        return Inference(self)

    def type_of(self, node: ast.expr, presume: bool = False) -> Type:
        """The TorchScript type of an expression, `UNKNOWN` where nothing speaks for one.

        With ``presume``, an unannotated parameter without default that nothing speaks for counts as a Tensor: what
        rests on that is unsafe until a case proves it.
        """
        return self.types.of(node, presume)

    @cached_property
    def flow(self):  # -> flow.Flow
        from .flow import Flow

        return Flow(self)

    @cached_property
    def dependence(self):  # -> dependence.Dependence
        from .dependence import Dependence

        return Dependence(self)


class Class:
    """A class of the file."""

    def __init__(self, file: FileFacts, node: ast.ClassDef, qualname: str):
        self.file, self.node, self.qualname = file, node, qualname
        self.name = node.name
        self.methods: dict[str, Function] = {}
        self.attribute_types: dict[str, Type] = {}  # what `inference` made of `assigned`, kept

    @cached_property
    def bases(self) -> list[str]:
        """Origins of the bases as written (``torch.nn.Module``; a class of this file by its name)."""
        return [self.file.origin(b) for b in self.node.bases]

    @cached_property
    def ancestors(self) -> list[Class]:
        """Base classes in this file, nearest first (depth first, left to right)."""
        found: list[Class] = []
        for base in self.bases:
            cls = self.file.class_named(base)
            if cls is not None and cls is not self and cls not in found:
                found += [cls, *(a for a in cls.ancestors if a not in found)]
        return found

    @cached_property
    def foreign_bases(self) -> list[str]:
        """Origins of the bases outside this file, of the ancestors too."""
        return [b for c in (self, *self.ancestors) for b in c.bases if self.file.class_named(b) is None]

    @cached_property
    def is_module(self) -> bool:
        """Whether it is an nn.Module: by its bases, by observation, or by a forward under a base from elsewhere."""
        if any(b == "torch.nn.Module" or b.startswith(("torch.nn.modules.", "torch.nn.")) for b in self.foreign_bases):
            return True
        if self.observed is not None:
            return True
        imported = [
            b for b in self.foreign_bases if b not in ("object", "torch.autograd.Function") and "autograd" not in b
        ]
        return bool(imported) and "forward" in self.methods

    @cached_property
    def observed(self) -> ClassObservations | None:
        observations = self.file.observations
        return observations.classes.get((str(self.file.source.path), self.qualname)) if observations else None

    @cached_property
    def subclasses(self) -> list[Class]:
        """Classes of this file that derive from it."""
        return [c for c in self.file.classes if self in c.ancestors]

    @cached_property
    def annotations(self) -> dict[str, ast.expr]:
        """Annotations in the class body itself (not the bases')."""
        return {
            s.target.id: s.annotation
            for s in self.node.body
            if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
        }

    @cached_property
    def body_values(self) -> dict[str, ast.Assign]:
        """``name = value`` in the class body itself, of names that it binds once."""
        found: dict[str, list[ast.Assign]] = {}
        for s in self.node.body:
            if isinstance(s, ast.Assign) and len(s.targets) == 1 and isinstance(s.targets[0], ast.Name):
                found.setdefault(s.targets[0].id, []).append(s)
        return {name: statements[0] for name, statements in found.items() if len(statements) == 1}

    @cached_property
    def assigned(self) -> dict[str, list[tuple[Function, ast.expr | None]]]:
        """``self.name = value`` anywhere in its methods: name → (method, value; None when the value is not plain)."""
        found: dict[str, list[tuple[Function, ast.expr | None]]] = {}
        for method in self.methods.values():
            for node in method.of(ast.Assign, ast.AnnAssign, ast.AugAssign):
                pairs: list[tuple[ast.expr, ast.expr | None]] = []
                if isinstance(node, ast.Assign):
                    pairs = [pair for t in node.targets for pair in assigned_pairs(t, node.value)]
                elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
                    pairs = [(node.target, node.value if isinstance(node, ast.AnnAssign) else None)]
                for target, value in pairs:
                    name = method.self_attribute(target)
                    if name is not None:
                        found.setdefault(name, []).append((method, value))
        return found

    def method(self, name: str) -> Function | None:
        """The method, its own or inherited from a class of this file."""
        return next((c.methods[name] for c in (self, *self.ancestors) if name in c.methods), None)
