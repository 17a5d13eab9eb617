"""Every kind of value, and the laws that tie describe, join and parse together."""

import collections
import enum
from typing import NamedTuple

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tsrefactor.facts.types import MODULE, TOP, join_all, list_of, parse
from tsrefactor.record.describe import describe

HERE = __name__


class Mode(enum.Enum):
    FAST = 1


class Pair(NamedTuple):
    left: torch.Tensor
    right: int


class Plain:
    def __init__(self):
        self.x = 1


class Magic:
    def __getattr__(self, name):
        raise AssertionError("describe ran user code")


class Hostile(list):
    def __len__(self):
        raise AssertionError("describe ran user code")

    __iter__ = __eq__ = __bool__ = __len__
    __hash__ = None


class Unhashable(type):
    def __eq__(cls, other):
        raise AssertionError("describe ran user code")

    __hash__ = None


class Strange(metaclass=Unhashable):
    pass


class Local(dict):
    pass


TABLE = [
    (torch.ones(1), "Tensor"),
    (torch.nn.Parameter(torch.ones(1)), "Tensor"),
    (torch.autograd.Variable(torch.ones(1)), "Tensor"),
    (True, "bool"),
    (1, "int"),
    (1.0, "float"),
    (1j, "complex"),
    ("a", "str"),
    (None, "None"),
    (torch.ones(2, 3).shape, "List[int]"),
    (torch.device("cpu"), "torch.device"),
    (torch.float32, "torch.dtype"),
    (torch.strided, "!"),
    (numpy.float64(1.0), "!"),
    (numpy.ones(2), "!"),
    ([], "List[?]"),
    ([1, 2.0], "List[Union[float, int]]"),
    ([1, True, None], "List[Optional[Union[bool, int]]]"),
    ([torch.ones(1), None], "List[Optional[Tensor]]"),
    ([[], [1]], "List[List[int]]"),
    ([[[]], []], "List[List[List[?]]]"),
    ([numpy.ones(1)], "!"),
    ([torch.nn.ReLU()], "!"),
    ((1, torch.ones(1)), "Tuple[int, Tensor]"),
    ((), "!"),
    ([(1, 2), (1, 2, 3)], "!"),
    (torch.max(torch.ones(2, 2), 0), "Tuple[Tensor, Tensor]"),
    ({}, "Dict[?, ?]"),
    ({"a": [torch.ones(1)], "b": []}, "Dict[str, List[Tensor]]"),
    (collections.OrderedDict(a=1), "Dict[str, int]"),
    ({1: "a", "b": "c"}, "!"),
    ({(1, 2): 3}, "!"),
    (Local(a=1), "!"),
    ({1, 2}, "!"),
    (len, "!"),
    (torch, "!"),
    (Magic(), "!"),
    (Strange(), "!"),
    ([Strange(), Strange()], "!"),
    (Hostile([1]), "!"),
    (Mode.FAST, f"{HERE}.Mode"),
    (Pair(torch.ones(1), 2), f"{HERE}.Pair"),
    (Plain(), f"{HERE}.Plain"),
    (ValueError("x"), "!"),
    (list(range(5000)), "List[int]"),
    ([1] * 100 + [None], "List[Optional[int]]"),
    ([[1]] * 5 + [1], "!"),
]


@pytest.mark.parametrize(("value", "expected"), TABLE, ids=[f"{i}-{t[1]}" for i, t in enumerate(TABLE)])
def test_each_kind_of_value(value, expected):
    assert str(describe(value)) == expected


def test_a_module_is_a_module():
    assert describe(torch.nn.Linear(1, 1)) == MODULE


def test_a_class_local_to_a_function_has_no_name_to_write():
    class Here(NamedTuple):
        x: int

    assert describe(Here(1)) == TOP


def test_containers_that_hold_themselves_end():
    loop: list = [1]
    loop.append(loop)
    knot: dict = {}
    knot["self"] = knot
    assert describe(loop) == TOP
    assert describe(knot) == TOP


def test_shared_containers_are_described_once():
    shared: list = [1]
    for _ in range(6):
        shared = [shared] * 32  # two to the thirtieth paths to the innermost
    assert str(describe(shared)) == "List[" * 7 + "int" + "]" * 7


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=2) | st.just(torch.ones(1)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_the_type_reads_back_from_its_text(value):
    described = describe(value)
    assert parse(str(described)) == described


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, max_size=4), st.randoms())
def test_a_list_is_a_list_of_the_join_whatever_the_order(items, random):
    element = join_all(map(describe, items))
    if element != TOP:
        assert describe(items) == list_of(element)
    shuffled = list(items)
    random.shuffle(shuffled)
    assert describe(shuffled) == describe(items)
