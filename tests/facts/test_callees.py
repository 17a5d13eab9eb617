"""The tables of what torch's layers and functions take and return, against torch itself."""

import inspect

import pytest
import torch
from torch import nn
from torch.nn import functional

from tsrefactor.facts.callees import FUNCTIONS, LAYERS, RETURNS, parameters
from tsrefactor.facts.types import TENSOR, Type, join, parse, tuple_of

RECURRENT = ("RNN", "GRU", "LSTM")


def spelled(annotation) -> Type:
    """An annotation of torch's own as a type."""
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return TENSOR if annotation is torch.Tensor else parse(annotation.__name__)
    return parse(str(annotation).replace("torch.Tensor", "Tensor").replace("NoneType", "None"))


@pytest.mark.parametrize("name", [n for n in LAYERS if n not in RECURRENT])
def test_layers_take_what_their_forward_is_annotated_with(name):
    signature = list(inspect.signature(getattr(nn, name).forward).parameters.values())[1:]
    told = parameters(LAYERS[name])
    assert list(told) == [p.name for p in signature][: len(told)]
    assert list(told.values()) == [spelled(p.annotation) for p in signature][: len(told)]


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers_take_and_return_what_they_compile_to(name):
    schema = torch.jit.script(getattr(nn, name)(2, 2)).forward__0.schema
    assert list(parameters(LAYERS[name])) == [a.name for a in schema.arguments[1:]]
    assert list(map(str, parameters(LAYERS[name]).values())) == [a.type.annotation_str for a in schema.arguments[1:]]
    assert RETURNS[name] == schema.returns[0].type.annotation_str


@pytest.mark.parametrize("name", [n for n in RETURNS if n not in RECURRENT])
def test_layers_return_what_their_forward_is_annotated_with(name):
    returned = inspect.signature(getattr(nn, name).forward).return_annotation
    assert parse(RETURNS[name]) == tuple_of(map(spelled, returned.__args__))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_these_parameters_and_their_defaults_are_of_these_types(name):
    signature = list(inspect.signature(getattr(functional, name)).parameters.values())
    told = parameters(FUNCTIONS[name])
    given = {p.name: p.default for p in signature if p.name in told and p.default is not inspect.Parameter.empty}
    assert [p.name for p in signature][: len(told)] == list(told)
    for parameter, default in given.items():
        kind = parse(type(default).__name__.replace("NoneType", "None"))
        assert join(kind, told[parameter]) == told[parameter]
