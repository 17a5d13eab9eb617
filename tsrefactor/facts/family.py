"""A class among its relatives in the file: which parent's method a call reaches, which names they use."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .definitions import Class, Function
from .nodes import walk

OF_MODULES = frozenset(
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches"
    " eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict"
    " modules mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook"
    " register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook"
    " register_full_backward_pre_hook register_load_state_dict_post_hook register_load_state_dict_pre_hook"
    " register_module register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_"
    " set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu zero_grad _apply"
    " _backward_hooks _backward_pre_hooks _buffers _call_impl _compiled_call_impl _forward_hooks"
    " _forward_hooks_always_called _forward_hooks_with_kwargs _forward_pre_hooks _forward_pre_hooks_with_kwargs"
    " _get_backward_hooks _get_backward_pre_hooks _get_name _is_full_backward_hook _load_from_state_dict"
    " _load_state_dict_post_hooks _load_state_dict_pre_hooks _maybe_warn_non_full_backward_hook _modules"
    " _named_members _non_persistent_buffers_set _parameters _register_load_state_dict_pre_hook"
    " _register_state_dict_hook _replicate_for_data_parallel _save_to_state_dict _slow_forward _state_dict_hooks"
    " _state_dict_pre_hooks _version _wrapped_call_impl".split()
)
"""What torch.nn.Module has, but for names with two underscores before and behind."""
_OF_OTHERS = frozenset({"config", "device", "dtype", "hparams", "logger", "name", "name_or_path", "trainer"})


class OutOfSight(Exception):
    """What a parent's call reaches is not known from this file; the message says why."""


@dataclass(frozen=True)
class ParentCall:
    """``super().method(…)``, or ``Parent.method(self, …)``; ``arguments``: those by position, without ``self``."""

    node: ast.Call
    method: str
    arguments: list[ast.expr]
    start: Class  # the class after which the search begins
    named: str | None  # the origin of the parent that is called by its name


def parent_calls(function: Function) -> Iterator[ParentCall]:
    """Calls of a parent's method in a method, but for those in nested functions."""
    file, cls = function.file, function.cls
    for node in function.of(ast.Call):
        if cls is None or not isinstance(node.func, ast.Attribute):
            continue
        value, method = node.func.value, node.func.attr
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super":
            # `super(Conv2d, self)`: this class, also where a line above imports another of the name
            own = not value.args or (_names(value.args[0], cls.name) and file.class_named(cls.name) is cls)
            start = cls if own else file.class_named(file.origin(value.args[0]))
            if start is not None:
                yield ParentCall(node, method, list(node.args), start, None)
        elif node.args and isinstance(node.args[0], ast.Name) and node.args[0].id == function.self_name:
            origin = file.origin(value)
            if file.class_named(origin) is not None or origin in cls.foreign_bases:
                yield ParentCall(node, method, list(node.args[1:]), cls, origin)


def _names(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def method_of_parent(cls: Class, call: ParentCall) -> Function | str:
    """The method that a call in this class reaches, or the name of the class of torch.nn that has it.

    Raises `OutOfSight` where neither is sure.
    """
    current = call.start if call.named is None else cls.file.class_named(call.named)
    if current is None:
        return _torch_class(call.named or "")
    if current is not cls and current not in cls.ancestors:
        raise OutOfSight(f"`{cls.name}` does not derive from `{current.name}`")
    if call.named is not None and call.method in current.methods:
        return current.methods[call.method]
    several = next((c for c in (cls, *cls.subclasses, *cls.ancestors) if len(c.bases) > 1), None)
    if several is not None and call.named is None:
        raise OutOfSight(f"`{several.name}` has several base classes")
    while True:
        if not current.bases:
            raise OutOfSight(f"no parent defines `{call.method}`")
        if len(current.bases) > 1:
            raise OutOfSight(f"`{current.name}` has several base classes")
        base = current.bases[0]
        parent = cls.file.class_named(base)
        if parent is None or parent is current:  # a class may have the name of its parent from another file
            return _torch_class(base)
        if call.method in parent.methods:
            return parent.methods[call.method]
        current = parent


def _torch_class(origin: str) -> str:
    name = origin.rpartition(".")[2]
    if origin == "torch.nn.Module":
        raise OutOfSight("no parent defines it")
    if not origin.startswith("torch.nn."):
        raise OutOfSight(f"`{name or origin}` lies in another file")
    return name


def delegate(method: Function) -> str | None:
    """``name`` when the whole body is ``return self.name(…)`` over its own parameters, but for ``*args`` and
    ``**kwargs`` that the body drops.
    """
    body = method.node.body[1:] if ast.get_docstring(method.node, clean=False) is not None else method.node.body
    if len(body) == 1 and isinstance(body[0], ast.Return) and isinstance(body[0].value, ast.Call):
        call = body[0].value
        named = [k.value.id for k in call.keywords if isinstance(k.value, ast.Name) and k.value.id == k.arg]
        given = [a.id for a in call.args if isinstance(a, ast.Name)] + named
        if given == [p.name for p in method.parameters if p.kind not in ("args", "kwargs")]:
            return method.self_attribute(call.func)
    return None


def members(cls: Class) -> set[str]:
    """Names of methods and attributes of a class, of those above it and of those below it."""
    family = (cls, *cls.ancestors, *cls.subclasses)
    return {name for c in family for name in (*c.methods, *c.assigned, *bound_in_body(c))}


def bound_in_body(cls: Class) -> set[str]:
    """Names that a class body gives a value, but for its methods."""
    found: set[str] = set()
    for statement in cls.node.body:
        if isinstance(statement, ast.Assign) or (isinstance(statement, ast.AnnAssign) and statement.value is not None):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            found |= {n.id for t in targets for n in walk(t) if isinstance(n, ast.Name)}
    return found


def attributes_in_use(cls: Class) -> set[str]:
    """Names that a new attribute of a module must not take: those of the class, its relatives and the recorded
    instances, of torch.nn.Module, and where a base is not in the file, names that such bases often use."""
    family = (cls, *cls.ancestors, *cls.subclasses)
    recorded = {n for c in family if c.observed is not None for n in (*c.observed.attributes, *c.observed.children)}
    foreign = any(base not in ("torch.nn.Module", "object") for base in cls.foreign_bases)
    return members(cls) | recorded | OF_MODULES | (_OF_OTHERS if foreign else set())


def initialised_at(cls: Class) -> ast.stmt | None:
    """The statement of the class's `__init__` that calls that of its parent, when `__init__` always comes to it."""
    init = cls.methods.get("__init__")
    calls = [c.node for c in parent_calls(init) if c.method == "__init__"] if init is not None else []
    statements = [cls.file.statement_of(c) for c in calls]
    return next((s for s in statements if init is not None and s in init.node.body), None)
