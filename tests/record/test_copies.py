"""Copies of inputs share nothing with the originals, and keep their own aliases."""

from typing import NamedTuple

import torch

from tsrefactor.cases import Inputs
from tsrefactor.record.copies import copy_inputs


class Pair(NamedTuple):
    a: torch.Tensor
    b: list


def test_tensors_in_all_containers_are_cloned():
    x = torch.ones(2)
    inputs = Inputs(x, [x, {"k": (x, 1)}], pair=Pair(x, []))
    copied = copy_inputs(inputs)
    copied.args[0].zero_()
    copied.kwargs["pair"].b.append(1)
    assert x.sum() == 2
    assert inputs.kwargs["pair"].b == []
    assert isinstance(copied.kwargs["pair"], Pair)
    aliases = [copied.args[1][0], copied.args[1][1]["k"][0], copied.kwargs["pair"].a]
    assert all(alias is copied.args[0] for alias in aliases)


def test_a_tensor_inside_a_graph_comes_out_of_it():
    leaf = torch.ones(2, requires_grad=True)
    copied = copy_inputs(Inputs(leaf * 2, torch.nn.Parameter(leaf)))
    assert copied.args[0].is_leaf and copied.args[0].requires_grad
    assert copied.args[1].requires_grad


def test_what_cannot_be_copied_is_passed_on():
    generator = (i for i in range(3))
    assert copy_inputs(Inputs(generator)).args[0] is generator
