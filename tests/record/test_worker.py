"""The survey of one case."""

import torch

from tsrefactor.cases import Inputs, ModelCase
from tsrefactor.record.worker import survey

SOURCE = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.n = width(n)
            self.last = None

        def forward(self, x, flag=False):
            x += 1
            if flag:
                return self.cold(x)
            if x.shape[0] == 7:
                raise ValueError("seven\\nrows")
            self.last = torch.rand(1)
            return nn.functional.dropout(x, training=self.training)

        def cold(self, x):
            return None

    def width(n):
        return n * 2
"""


def by_name(result):
    return {function.qualname: function for function in result.observations.functions.values()}


def test_all_inputs_are_run_on_copies(make_module, tmp_path):
    module = make_module(SOURCE)
    x = torch.zeros(2)
    case = ModelCase("net", lambda: module.Net(3).eval(), lambda: [Inputs(x), Inputs(x, flag=True)])
    result = survey(case, (str(tmp_path),))
    assert result.error is None
    assert x.sum() == 0
    seen = by_name(result)
    assert seen["Net.forward"].calls == 2
    assert str(seen["Net.forward"].returns) == "Optional[Tensor]"
    assert seen["Net.cold"].scripted
    assert not seen["width"].scripted
    assert not seen["Net.__init__"].scripted
    (net,) = result.observations.classes.values()
    assert {name: str(type_) for name, type_ in net.attributes.items()} == {"n": "int", "last": "Tensor"}


def test_an_error_comes_back_with_what_was_seen(make_module, tmp_path):
    module = make_module(SOURCE)
    case = ModelCase("net", lambda: module.Net(3), lambda: [Inputs(torch.zeros(2)), Inputs(torch.zeros(7))])
    result = survey(case, (str(tmp_path),))
    assert result.error == f"ValueError: seven rows ({tmp_path / 'observed.py'}:16)"
    assert str(by_name(result)["Net.forward"].returns) == "Tensor"
    assert result.observations.classes


def test_building_that_fails_or_exits_is_an_error(make_module, tmp_path):
    module = make_module(SOURCE)
    failed = survey(ModelCase("net", lambda: module.Net("a", 2), list), (str(tmp_path),))
    assert failed.error is not None
    assert failed.error.startswith("TypeError: ")

    def leave():
        raise SystemExit(3)

    assert survey(ModelCase("net", leave, list), (str(tmp_path),)).error == "SystemExit: 3"


def test_every_call_starts_from_the_same_seed(tmp_path):
    drawn = []

    class Draws(torch.nn.Module):
        def forward(self):
            drawn.append(torch.rand(1).item())

    case = ModelCase("net", Draws, lambda: [Inputs(), Inputs()])
    assert survey(case, (str(tmp_path),)).error is None
    assert drawn[0] == drawn[1]
