"""What the plain objects hold that modules keep."""

import argparse
import collections

import torch

from tsrefactor.record.fields import fields


class Config:
    base = 3

    def __init__(self):
        self.sizes = [1, 2]
        self.act = torch.nn.ReLU()

    @property
    def area(self):
        raise AssertionError("a property is code of the class")

    def __getattr__(self, name):
        raise AssertionError(name)


class AttributeDict(dict):
    __getattr__ = dict.__getitem__


def fields_of(value):
    return {name: str(type_) for name, type_ in fields(value, "cfg")}


def test_objects_of_many_kinds():
    assert fields_of(argparse.Namespace(n=1, mode="a")) == {"cfg.n": "int", "cfg.mode": "str"}
    assert fields_of({"n": 1, "a-b": None, 3: 4}) == {"cfg.n": "int", "cfg['a-b']": "None"}
    assert fields_of(AttributeDict(n=1.0)) == {"cfg.n": "float"}
    assert fields_of(collections.namedtuple("Pair", "a b")(1, True)) == {"cfg.a": "int", "cfg.b": "bool"}
    assert fields_of(Config()) == {"cfg.base": "int", "cfg.sizes": "List[int]", "cfg.act": "Module"}
    assert fields_of(Config) == {"cfg.base": "int"}


def test_objects_in_objects():
    inner = AttributeDict(n=1)
    inner["self"] = inner
    found = fields_of({"model": inner})
    assert found["cfg.model.n"] == "int"
    assert found["cfg.model.self.n"] == "int"
    assert "cfg.model.self.self.n" not in found


def test_what_is_no_object_has_no_fields():
    values = [1, "a", None, [1], torch.ones(1), torch.nn.ReLU(), torch.relu, torch, torch.Size([1]), torch.float32]
    assert [fields_of(value) for value in values] == [{}] * len(values)


def test_a_large_object_is_cut():
    assert len(fields_of({f"k{i}": i for i in range(1000)})) == 256
