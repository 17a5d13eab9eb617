"""What a trace froze, found and blamed: the counterexample, the line, and the words."""

import ast
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.verification.helpers import examined, line_of
from tsrefactor import Inputs
from tsrefactor.verification.baking import feeding, separating

X = torch.arange(1.0, 13.0).reshape(2, 6) / 10


class HarmlessFirst(nn.Module):
    """Two warnings come before the one to blame."""

    def forward(self, x):
        if x.sum() > 1e9:
            return x
        n = int(x.shape[1])
        y = x.reshape(-1, n) * 1
        if y.mean() > 0:  # to blame
            return y + 1
        return y - 1


class Number(nn.Module):
    def forward(self, x):
        rows = int(x.shape[0])  # the number leaves the trace here
        scale = 1 + 1
        return x.sum(0) + torch.zeros(6) + scale * rows


class Root(nn.Module):
    def forward(self, x):
        return x / math.sqrt(x.shape[-1])  # a float


class Comprehension(nn.Module):
    def forward(self, x):
        return torch.cat([x[i] * i for i in range(x.shape[0])])  # its turns


class Helper(nn.Module):
    def forward(self, x):
        return self.doubled(x)

    def doubled(self, x):
        while x.abs().sum() < 40:  # in the helper
            x = x * 2 + 1
        return x


class Chunks(nn.Module):
    """Two chunks of four hold six columns, and seven; of more than eight they leave some out."""

    def forward(self, x):
        return torch.cat([x[:, i : i + 4] * 2 for i in range(0, x.shape[1], 4)], 1)  # the chunks


class Sure(nn.Module):
    """Nothing but scores that are surely right take the other side."""

    def forward(self, scores, labels):
        loss = F.cross_entropy(scores, labels, reduction="none")
        if loss.max() > 0.3:  # not yet right
            loss = loss[loss > 0.3]
        return loss.mean()


class Tabled(nn.Module):
    """Right when it is traced anew; after a call the table is there, as long as that call's example."""

    def __init__(self):
        super().__init__()
        self.table = None

    def forward(self, x):
        if self.table is None or self.table.shape[0] != x.shape[0]:  # the table
            self.table = torch.arange(x.shape[0]).unsqueeze(1) * 1.0
        return x + self.table


class Kept(nn.Module):
    """Keeps a result for others to look at: another object after every call, which forward never reads."""

    def __init__(self):
        super().__init__()
        self.last = None

    def forward(self, x):
        self.last = x * 2
        return self.last + 1


class Rare(nn.Module):
    """No usual variation takes the branch."""

    def __init__(self, limit=300.0):
        super().__init__()
        self.limit = limit

    def forward(self, x):
        if self.limit < x.mean() < 1000:  # rare
            return x * 0
        return x + 1


class Long(nn.Module):
    def forward(self, x):
        if x.shape[1] > 40:  # long
            x = x[:, :40]
        return x * 2


class NotANumber(nn.Module):
    def forward(self, x):
        if torch.isnan(x).any():  # NaN
            x = torch.nan_to_num(x)
        return x + 1


class InTorch(nn.Module):
    """Code of torch itself freezes a size here, and keeps silent about it."""

    def forward(self, x):
        return F.interpolate(x, scale_factor=0.5, mode="nearest", recompute_scale_factor=True)  # in torch


class Two(nn.Module):
    def forward(self, x, y):
        if y.sum() > 0:  # of the second
            return x + y
        return x - y


class Endless(nn.Module):
    """Does not end on zeros."""

    def forward(self, x):
        while x.abs().max() < 4:
            x = x * 2
        return x


class Sound(nn.Module):
    def forward(self, x):
        return torch.where(x.sum() > 0, x + x.shape[0], x - 1)


def verdict(model, *inputs, quick=False):
    result = examined(model, Inputs(*inputs), target="trace", thorough=not quick)
    return result.verdicts["trace"]


@pytest.mark.parametrize(
    ("model", "place", "label", "told"),
    [
        (HarmlessFirst, "if y.mean() > 0:  # to blame", "negated", "side of this `if`"),
        (Number, "rows = int(x.shape[0])  # the number", "dim 0 of argument 1 from 2 to 3", "keeps"),
        (Root, "# a float", "dim 1 of argument 1 from 6 to 7", "keeps 2.449"),
        (Comprehension, "# its turns", "dim 0 of argument 1 from 2 to 3", "this line"),
        (Helper, "while x.abs().sum() < 40:  # in the helper", "negated", "turns of this `while`"),
        (Rare, "# rare", "filled with 450", "side of this `if`"),
        (Long, "if x.shape[1] > 40:  # long", "dim 1 of argument 1 from 6 to 41", "side of this `if`"),
        (Chunks, "# the chunks", "dim 1 of argument 1 from 6 to 13", "this line"),
        (NotANumber, "if torch.isnan(x).any():  # NaN", "with NaN", "side of this `if`"),
    ],
)
def test_the_line_to_blame_and_the_counterexample(model, place, label, told):
    found = verdict(model, X)
    assert found.outcome.value == "baked", found
    assert found.line == line_of(__file__, place) and label in found.input and told in found.message
    assert "differs from eager" in found.message or "trace" in found.message


def test_a_trace_of_a_model_that_was_called_before_is_proven_too():
    found = verdict(Tabled, X)
    assert found.outcome.value == "baked" and found.input.endswith("from 2 to 3, traced after a call")
    assert found.line == line_of(__file__, "# the table")
    assert verdict(Kept, X).passed


def test_what_torch_itself_freezes_is_blamed_on_the_call():
    found = verdict(InTorch, torch.rand(1, 2, 8, 8))
    if not found.passed:
        assert found.line == line_of(__file__, "# in torch")


def test_the_counterexample_changes_no_more_than_it_must():
    found = verdict(Two, X, X + 1)
    assert found.input == "example negated, in argument 2 alone"


def test_a_loss_is_tried_on_scores_that_are_right():
    found = verdict(Sure, X[:, :3], torch.tensor([0, 2]))
    assert found.line == line_of(__file__, "# not yet right") and "class 0 far above" in found.input


def test_a_run_without_end_is_one_that_eager_refuses():
    result = examined(Endless, Inputs(X))
    assert result.passed
    result = examined(Endless, Inputs(X), thorough=True)
    assert result.passed and "1 that eager refuses" in result.coverage


def test_what_was_searched_is_told():
    result = examined(Sound, Inputs(X), target="trace", thorough=True)
    assert result.passed and "extreme or aimed" in result.coverage
    result = examined(Helper, Inputs(X), target="trace")
    assert "aimed" not in result.coverage


def test_statements_that_part_two_lines():
    tree = ast.parse("a\nif b:\n    c\n    for d in e:\n        f\nelse:\n    g\nh")
    branch, loop = tree.body[1], tree.body[1].body[1]
    assert separating(tree.body, 3, 7) is branch and separating(tree.body, 3, 8) is branch
    assert separating(tree.body, 5, 3) is loop and separating(tree.body, 5, 7) is branch
    assert separating(tree.body, 1, 8) is None


def test_lines_that_feed_a_line():
    tree = ast.parse("def f(x):\n    a = x + 1\n    b = 2\n    c = a\n    d = b\n    return c\n")
    assert feeding(tree, 6) == {2, 4, 6}
