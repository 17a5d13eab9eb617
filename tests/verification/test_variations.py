import torch

from tsrefactor import Inputs
from tsrefactor.verification.variations import variations

IMAGE = torch.rand(2, 3, 4, 5)


def by_label(example):
    return {v.label: v for group in variations(example) for v in group}


def sizes(variation):
    return [tuple(a.shape) for a in variation.inputs.args]


def test_values_of_floating_tensors():
    found = by_label(Inputs(IMAGE, 3))
    assert {
        "example with fresh values", "example with fresh normal values", "example negated", "example scaled by 10",
        "example with zeros",
    } == {label for label, v in found.items() if not v.resized}  # fmt: skip
    assert torch.equal(found["example negated"].inputs.args[0], -IMAGE)
    assert torch.equal(found["example scaled by 10"].inputs.args[0], IMAGE * 10)
    assert not found["example with zeros"].inputs.args[0].any()
    assert all(v.inputs.args[1] == 3 for v in found.values())
    assert (found["example with fresh normal values"].inputs.args[0] < 0).any()


def test_integers_stay_in_range_and_booleans_flip():
    index, flags = torch.tensor([3, 9, 4, 7, 5]), torch.tensor([True, False])
    found = by_label(Inputs(index, flags))
    permuted = found["example with integers permuted"].inputs.args[0]
    assert sorted(permuted.tolist()) == [3, 4, 5, 7, 9] and permuted.dtype == torch.int64
    other = found["example with other integers"].inputs.args[0]
    assert other.min() >= 3 and other.max() <= 9 and not torch.equal(other, index)
    assert found["example with booleans flipped"].inputs.args[1].tolist() == [False, True]
    assert "example negated" not in found


def test_a_variation_that_changes_nothing_is_left_out():
    found = by_label(Inputs(torch.zeros(3), torch.ones(4, dtype=torch.long)))
    assert not {"example negated", "example with zeros", "example with integers permuted"} & found.keys()


def test_each_dim_grows_by_one_or_doubles():
    groups = [[v.label for v in g] for g in variations(Inputs(IMAGE)) if g[0].resized]
    assert [
        "example with dim 2 of argument 1 from 4 to 5",
        "example with dim 2 of argument 1 from 4 to 8",
    ] in groups
    found = by_label(Inputs(IMAGE))
    assert sizes(found["example with dim 2 of argument 1 from 4 to 8"]) == [(2, 3, 8, 5)]
    assert sizes(found["example with the last two dims doubled"]) == [(2, 3, 8, 10)]
    grown = found["example with dim 0 of argument 1 from 2 to 3"].inputs.args[0]
    assert torch.equal(grown, torch.cat([IMAGE, IMAGE[:1]]))


def test_dims_that_belong_together_grow_together():
    adjacency, features = torch.rand(4, 4), torch.rand(4, 7)
    found = by_label(Inputs(adjacency, features))
    assert [(5, 5), (5, 7)] in [sizes(v) for v in found.values()]
    assert sizes(found["example with dim 0 of all arguments from 4 to 5"]) == [(5, 4), (5, 7)]
    equal = by_label(Inputs(torch.rand(2, 6), torch.rand(3, 6)))
    assert sizes(equal["example with dim -1 of all arguments from 6 to 7"]) == [(2, 7), (3, 7)]


def test_nested_and_named_arguments_are_named():
    found = by_label(Inputs(1, [torch.rand(2), torch.rand(3)], mask=torch.rand(4)))
    labels = " ".join(found)
    assert "dim 0 of argument 2[1] from 3 to 4" in labels and "dim 0 of argument mask from 4 to 5" in labels
    assert found["example with dim 0 of argument mask from 4 to 5"].inputs.kwargs["mask"].shape == (5,)


def test_aliases_grow_as_one():
    x = torch.rand(2, 3)
    variation = by_label(Inputs(x, x))["example with dim 0 of argument 1 from 2 to 3"]
    assert variation.inputs.args[0] is variation.inputs.args[1]


def test_scalars_empty_sparse_and_huge_tensors_are_no_trouble():
    huge = torch.empty(1).expand(1 << 13, 1 << 13)
    example = Inputs(torch.tensor(1.0), torch.empty(0, 3), torch.eye(3).to_sparse(), huge, None)
    assert all(v.inputs.args[3].numel() <= huge.numel() for v in by_label(example).values())
