"""The model as Python runs it: built, called, observed. What TorchScript must equal."""

from __future__ import annotations

import inspect
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy.random
import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from ..cases import Inputs, ModelCase
from ..workers.seeding import seed
from .endless import ending
from .errors import raised, unusable
from .state import ModuleState, modes_of
from .values import Leaf, copied, digest, holds_mapping, leaves, sizes_of, walk

EXAMPLE = "example"
PATIENCE = 1.0  # seconds that a run on a generated input may always take
EXAMPLE_CALLS = 3  # the profiling executor specialises after the first ones


@dataclass
class Call:
    """What to call a model with, and how often in a row.

    ``then``: the inputs of further calls, each of which meets the model as the one before it left it.
    """

    label: str
    inputs: Inputs
    generated: bool = False
    times: int = 1
    then: tuple[Inputs, ...] = ()

    @property
    def rounds(self) -> list[Inputs]:
        """The inputs of all its calls, in turn."""
        return [self.inputs] * self.times + list(self.then)


@dataclass
class Observation:
    """What eager gave for one call of a module as it was built, in one mode.

    ``outputs``: leaves, per round of the call. ``modes``: train mode per submodule. ``random``: a global generator was
    drawn from. ``mapping``: a mapping is among the outputs. ``inputs``: digest of given inputs after the last call,
    which may have updated them; empty for generated ones. ``updated``: the tensors among these, as they are then.
    ``stateful``: several calls in a row were made, and the first of them changed something of the model. ``varying``:
    paths of outputs of which a second run gave other bits; ``leaves_same``: it left the same buffers and inputs.
    """

    call: Call
    training: bool
    outputs: list[list[Leaf]]
    buffers: list[Leaf]
    modes: dict[str, bool]
    random: bool
    mapping: bool
    inputs: str
    updated: list[Leaf]
    stateful: bool
    varying: frozenset[str] = frozenset()
    leaves_same: bool = True

    @property
    def mode(self) -> str:
        return mode_name(self.training)


def mode_name(training: bool) -> str:
    return "train" if training else "eval"


def generators() -> tuple[Any, ...]:
    """The states of the global random generators, to tell whether one was drawn from."""
    numpys = numpy.random.get_state(legacy=False)["state"]
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), numpys["key"].tobytes(), numpys["pos"]


def call(module: Callable[..., Any], inputs: Inputs) -> Any:
    """Calls with copies of ``inputs``, seeded."""
    inputs = copied(inputs)
    seed()
    return module(*inputs.args, **inputs.kwargs)


def tensors_of(inputs: Inputs) -> list[Leaf]:
    """The very tensors that a call is given: what it puts into a list in their place is not among them."""
    return [leaf for leaf in walk([inputs.args, inputs.kwargs]) if isinstance(leaf.value, torch.Tensor)]


def as_left(tensors: list[Leaf]) -> list[Leaf]:
    """Tensors as they are now."""
    return [Leaf(leaf.path, leaf.value.detach().clone()) for leaf in tensors]


def silence(module: nn.Module) -> None:
    """Turns dropout modules off. What a forward draws by itself (F.dropout, torch.rand) stays."""
    for m in module.modules():
        if isinstance(m, _DropoutNd):
            m.training = False


class EagerModel:
    """A case's module, built under the seed; every observation meets it as it was built."""

    def __init__(self, case: ModelCase, is_user_file: Callable[[str], bool]):
        self._is_user_file = is_user_file
        seed()
        try:
            module = case.build()
        except Exception as error:
            remedy = f"mend build of case {case.name!r} so that it returns the model"
            raise raised("build()", error, remedy, is_user_file) from error
        if not isinstance(module, nn.Module):
            kind = "None" if module is None else f"a {type(module).__name__}"
            raise unusable(f"build() returned {kind}, not a torch.nn.Module; return the model itself")
        self.module = module
        self.training = module.training
        self._state: ModuleState | None = None
        self._seconds = 0.0  # the longest run on given inputs

    def materialise(self, example: Inputs) -> None:
        """Lets lazy modules see their first input; until then they have neither sizes nor a state."""
        parameters = [*self.module.parameters(), *self.module.buffers()]
        if any(torch.nn.parameter.is_lazy(p) for p in parameters):
            call(self.module, example)

    def warm_up(self, example: Inputs) -> None:
        """Calls the model once; from now on every observation meets it as that call left it."""
        self._enter(example, self.training)
        call(self.module, example)
        self._state = ModuleState(self.module)

    def observe(self, wanted: Call, training: bool, quiet: bool = False) -> Observation:
        """Raises whatever the model raises, and EndlessError on a generated input that takes far longer than those
        given. ``quiet``: with its dropout modules off."""
        self._enter(wanted.inputs, training)
        if quiet:
            silence(self.module)
        assert self._state is not None
        modes = modes_of(self.module)
        outputs: list[list[Leaf]] = []
        drawn = mapping = stateful = False
        before = self._state if training == self.training and not quiet else ModuleState(self.module)
        for given in wanted.rounds:
            inputs = copied(given)
            tensors = tensors_of(inputs)
            seed()
            generator = generators()
            began = time.process_time()
            with ending(PATIENCE + 20 * self._seconds) if wanted.generated else nullcontext():
                result = self.module(*inputs.args, **inputs.kwargs)
            if not wanted.generated:
                self._seconds = max(self._seconds, time.process_time() - began)
            drawn = drawn or generators() != generator
            mapping = mapping or holds_mapping(result)
            outputs.append(leaves(result))
            if len(outputs) == 1 and wanted.times > 1:
                stateful = before.changed()
                if not stateful and not wanted.then:
                    outputs *= wanted.times  # a stateless model gives the same again
                    break
        told = "" if wanted.generated else digest(list(walk([inputs.args, inputs.kwargs])))
        updated, buffers = as_left(tensors), self._state.buffers()
        return Observation(wanted, training, outputs, buffers, modes, drawn, mapping, told, updated, stateful)

    def _enter(self, example: Inputs, training: bool) -> None:
        """Puts the module back as it was built, in the mode asked for."""
        if self._state is None:
            self.materialise(example)
            self._state = ModuleState(self.module)
        self._state.restore()
        if self.module.training != training:
            self.module.train(training)

    def restore(self) -> None:
        """Puts the module back as every observation meets it."""
        if self._state is not None:
            self._state.restore()

    def observe_given(self, wanted: Call, training: bool) -> Observation:
        """`observe` for inputs that the user gave: what raises or returns only custom objects is an EagerError."""
        label = None if wanted.label == EXAMPLE else wanted.label
        try:
            seen = self.observe(wanted, training)
        except Exception as error:
            remedy = "give inputs() that the model accepts, or mend the model"
            raise raised(
                f"the model, run in eager on the {wanted.label},", error, remedy, self._is_user_file, label
            ) from error
        kinds = sorted({type(leaf.value).__name__ for leaf in seen.outputs[0] if leaf.value is not None})
        if kinds and not any(leaf.comparable for leaf in seen.outputs[0]):
            raise unusable(f"the model returned only {', '.join(kinds)} on the {wanted.label}; return a tensor", label)
        return seen

    def gradients(self, wanted: Call, training: bool) -> list[Leaf]:
        """The gradients of parameters and floating inputs, of a weighted sum of all floating outputs.

        The weights differ from one another, so that what a plain sum cancels (softmax, normalisation) still shows.
        Raises whatever forward or backward raise.
        """
        self._enter(wanted.inputs, training)
        self.module.zero_grad(set_to_none=True)
        inputs = copied(wanted.inputs)
        watched: dict[int, torch.Tensor] = {}
        for leaf in walk([inputs.args, inputs.kwargs]):
            if isinstance(leaf.value, torch.Tensor) and leaf.value.is_floating_point() and leaf.value.is_leaf:
                watched[id(leaf.value)] = leaf.value.requires_grad_()
        seed()
        # What forward is given are not leaves: an in-place update of an input stays as legal as it was.
        outputs = self.module(*_passed_on(inputs.args), **_passed_on(inputs.kwargs))
        roots = [
            leaf.value for leaf in walk(outputs) if isinstance(leaf.value, torch.Tensor) and leaf.value.requires_grad
        ]
        if roots:
            torch.autograd.backward(roots, [_weights(root) for root in roots])
        found = [Leaf(name, p.grad) for name, p in self.module.named_parameters()]
        found += [Leaf(f"input {i}", tensor.grad) for i, tensor in enumerate(watched.values())]
        found = [Leaf(g.path, g.value.detach().clone()) if g.value is not None else g for g in found]
        self.module.zero_grad(set_to_none=True)
        return found


def _passed_on(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone() if value.requires_grad else value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_passed_on, value))
    if type(value) in (list, tuple):
        return type(value)(map(_passed_on, value))
    return {k: _passed_on(v) for k, v in value.items()} if type(value) is dict else value


def _weights(tensor: torch.Tensor) -> torch.Tensor:
    weights = torch.cos(torch.arange(tensor.numel(), dtype=torch.float64)).reshape(tensor.shape)
    return weights.to(tensor.dtype)


def given_calls(case: ModelCase, is_user_file: Callable[[str], bool]) -> list[Call]:
    """The case's inputs as calls: the example, then `input 2 (2x3x8x8)` and so on. Raises EagerError."""
    right = "return a list of Inputs, the example first"
    seed()
    try:
        given = case.inputs()
        if isinstance(given, Iterable) and not isinstance(given, (torch.Tensor, str, Mapping, list, tuple)):
            given = list(given)
    except Exception as error:
        remedy = f"mend inputs of case {case.name!r} so that it returns a list of Inputs"
        raise raised("inputs()", error, remedy, is_user_file) from error
    if isinstance(given, Inputs):
        raise unusable("inputs() returned one Inputs, not a list of them; return [Inputs(…)]")
    if not isinstance(given, (list, tuple)):
        kind = "None" if given is None else f"a {type(given).__name__}"
        raise unusable(f"inputs() returned {kind}; {right}")
    if not given:
        raise unusable(f"inputs() returned no Inputs; {right}")
    for i, inputs in enumerate(given, 1):
        if not isinstance(inputs, Inputs):
            raise unusable(f"inputs() returned a {type(inputs).__name__} as item {i}, not an Inputs; {right}")
    return [Call(EXAMPLE, given[0], times=EXAMPLE_CALLS)] + [
        Call(f"input {i} ({sizes})" if (sizes := sizes_of(inputs)) else f"input {i}", inputs)
        for i, inputs in enumerate(given[1:], 2)
    ]


def forward_signature(module: nn.Module) -> str:
    """Names, kinds and defaults of the parameters of forward, or of a `__call__` in its place, without annotations and
    addresses, and without what only its ``__signature__`` names of its ``**kwargs``.
    """
    # read without its descriptor: the class of a ScriptModule has none to give
    no_forward = inspect.getattr_static(type(module), "forward") is nn.Module.forward
    by_call = no_forward and type(module).__call__ is not nn.Module.__call__
    called = type(module).__call__.__get__(module) if by_call else module.forward
    given = list(inspect.signature(called).parameters.values())
    code = getattr(called, "__code__", None)
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code is not None else ()
    if given and given[-1].kind is inspect.Parameter.VAR_KEYWORD:
        given = [p for p in given if p.kind is not p.KEYWORD_ONLY or p.name in own]
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in given]
    text = str(inspect.Signature(plain))
    return re.sub(r" at 0x[0-9a-f]+", "", text)
