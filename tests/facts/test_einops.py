"""einops' patterns as methods: the same values, strides and gradients as einops gives."""

import einops
import pytest
import torch

from tsrefactor.facts.einops import Untranslatable, as_equation, as_methods

REARRANGED = [
    ("b n (h d) -> b h n d", {"h": 2}, (2, 3, 4), "x.unflatten(2, (2, -1)).transpose(1, 2)"),
    ("b h n d -> b n (h d)", {}, (2, 3, 4, 5), "x.transpose(1, 2).flatten(2)"),
    ("b j -> b 1 1 j", {}, (2, 3), "x[:, None, None]"),
    ("b 1 d -> b d", {}, (2, 1, 3), "x.squeeze(1)"),
    ("() a () (h d) -> h a d", {"h": 2}, (1, 3, 1, 4), "x.unflatten(3, (2, -1)).squeeze((0, 2)).transpose(0, 1)"),
    ("b h w -> (b h w)", {}, (2, 3, 4), "x.flatten()"),
    ("b c (h p1) (w p2) -> b (h w) (p1 p2 c)", {"p1": 2, "p2": 3}, (2, 3, 4, 6), None),
    ("(b x y) h n d -> b h (x y) n d", {"x": 2, "y": 2}, (8, 3, 4, 5), None),
    ("1 (b h d) x y -> b h (x y) d", {"b": 2, "h": 3}, (1, 12, 2, 3), None),
    ("b x y w1 w2 d -> b d (w1 x) (w2 y)", {}, (2, 3, 4, 2, 3, 5), None),
    ("... (d j) -> ... d j", {"j": 2}, (2, 3, 4), "x.unflatten(-1, (-1, 2))"),
    ("... d j -> ... (d j)", {}, (2, 3, 4, 5), "x.flatten(-2)"),
    ("... -> 1 ...", {}, (2, 3), "x.unsqueeze(0)"),
    ("... n d -> ... 1 1 n d", {}, (2, 3, 4), "x[..., None, None, :, :]"),
    ("b ... d -> b (...) d", {}, (2, 3, 4, 5), "x.flatten(1, -2)"),
    ("b ... c d -> b d ... c", {}, (2, 3, 4, 5, 6), "x.movedim(-1, 1)"),
    ("b ... c d -> d ... c b", {}, (2, 3, 4, 5, 6), "x.transpose(0, -1)"),
    ("a b ... c -> b c ... a", {}, (2, 3, 4, 5), "x.movedim((0, 1, -1), (-1, 0, 1))"),
    ("... (a b) (c d) -> ... (a c) (b d)", {"a": 2, "c": 3}, (2, 4, 6), None),
    ("b (h d) ... -> b h (...) d", {"h": 2}, (2, 4, 5, 3), "x.unflatten(1, (2, -1)).movedim(2, -1).flatten(2, -2)"),
]
REPEATED = [
    ("() n d -> b n d", {"b": 3}, (1, 2, 3), "x.expand(3, -1, -1)"),
    ("1 1 d -> b 1 d", {"b": 3}, (1, 1, 3), "x.expand(3, -1, -1)"),
    ("1 d -> b 1 d", {"b": 3}, (1, 3), "x.expand(3, -1, -1)"),
    ("1 1 d -> b f 1 d", {"b": 3, "f": 2}, (1, 1, 3), None),
    ("d -> b 1 d", {"b": 3}, (4,), "x.expand(3, 1, -1)"),
    ("... d -> b ... d", {"b": 3}, (4, 2), "x.expand((3,) + x.shape)"),
    ("b n -> b (n j)", {"j": 3}, (4, 2), "x.unsqueeze(2).expand(-1, -1, 3).flatten(1)"),
    ("n d -> () n (d j)", {"j": 2}, (3, 4), None),
    ("h w c -> c (h h2) (w w2)", {"h2": 2, "w2": 3}, (2, 3, 4), None),
    ("o i -> (o 4) i", {}, (4, 2), "x.unsqueeze(1).expand(-1, 4, -1).flatten(0, 1)"),
    (" -> b", {"b": 2}, (), "x.expand(2)"),
]
REDUCED = [
    ("b n d -> b d", "mean", (2, 7, 5), "x.mean(dim=1)"),
    ("b h w c -> c b", "mean", (2, 7, 5, 6), "x.permute(3, 0, 1, 2).mean(dim=(2, 3))"),
    ("b c (h 2) (w 3) -> b c h w", "max", (2, 7, 4, 6), None),
    ("b c h w -> b c 1 1", "sum", (2, 3, 4, 6), "x.sum(dim=(2, 3), keepdim=True)"),
    ("b c h w -> b c () ()", "prod", (2, 3, 4, 6), "x.prod(dim=3, keepdim=True).prod(dim=2, keepdim=True)"),
    ("... n m -> ...", "prod", (2, 3, 4, 5), "x.prod(dim=-1).prod(dim=-1)"),
    ("b h n d -> b (h d)", "min", (2, 3, 4, 5), "x.amin(dim=2).flatten(1)"),
]


def layouts(shape):
    """Tensors of a shape: contiguous, transposed, and with gaps."""
    yield torch.randn(shape)
    yield torch.randn(shape[::-1]).permute(tuple(reversed(range(len(shape)))))
    yield torch.randn((*shape, 2))[..., 0]


def same_as_einops(operation, template, shape, *arguments, **sizes):
    for values in layouts(shape):
        old, x = (values.detach().requires_grad_() for _ in range(2))
        expected = getattr(einops, operation)(old, *arguments, **sizes)
        found = eval(template.format(tensor="x"), {"x": x})
        assert torch.equal(found, expected) and found.shape == expected.shape
        long = [i for i, size in enumerate(found.shape) if size > 1]
        assert [found.stride(i) for i in long] == [expected.stride(i) for i in long]
        gradient = torch.randn(expected.shape)
        for result in (expected, found):
            result.backward(gradient)
        assert torch.equal(x.grad, old.grad)


@pytest.mark.parametrize("ranked", [False, True])
@pytest.mark.parametrize(
    ("operation", "pattern", "sizes", "shape", "written"),
    [("rearrange", *case) for case in REARRANGED] + [("repeat", *case) for case in REPEATED],
)
def test_shapes(operation, pattern, sizes, shape, written, ranked):
    rank = len(shape) if ranked else None
    template = as_methods(operation, pattern, {name: str(size) for name, size in sizes.items()}, rank=rank)
    if written is not None and not ("..." in pattern and ranked):
        assert template.format(tensor="x") == written
    same_as_einops(operation, template, shape, pattern, **sizes)


@pytest.mark.parametrize(("pattern", "reduction", "shape", "written"), REDUCED)
def test_reductions(pattern, reduction, shape, written):
    template = as_methods("reduce", pattern, {}, reduction)
    assert written in (None, template.format(tensor="x"))
    same_as_einops("reduce", template, shape, pattern, reduction)


def test_a_known_rank_tells_how_to_expand():
    assert as_methods("repeat", "... d -> b ... d", {"b": "b"}, rank=2) == "{tensor}.expand(b, -1, -1)"
    assert as_methods("reduce", "b ... -> b", {}, "mean", rank=3) == "{tensor}.mean(dim=(1, 2))"


@pytest.mark.parametrize(
    ("operation", "pattern", "sizes"),
    [
        ("rearrange", "b c", {}),
        ("rearrange", "b c -> b", {}),
        ("rearrange", "b (c d) -> b c d", {}),
        ("rearrange", "b ((c) d) -> b c d", {}),
        ("rearrange", "b b -> b", {}),
        ("rearrange", "b (... c) -> b ... c", {"c": "2"}),
        ("rearrange", "b c -> c b", {"e": "2"}),
        ("rearrange", "b, c -> c b", {}),
        ("repeat", "b c -> b c d", {}),
        ("repeat", "o ... -> (o n) ...", {"n": "2"}),
        ("reduce", "b c -> b c d", {"d": "2"}),
        ("reduce", "b ... -> b", {}),
    ],
)
def test_refused(operation, pattern, sizes):
    with pytest.raises(Untranslatable):
        as_methods(operation, pattern, sizes, "sum" if operation == "reduce" else "")


@pytest.mark.parametrize(
    ("pattern", "shapes", "equation"),
    [
        ("b h i d, b h j d -> b h i j", [(2, 3, 4, 5), (2, 3, 6, 5)], "bhid,bhjd->bhij"),
        ("batch width, batch height -> width height", [(2, 3), (2, 4)], "bw,bh->wh"),
        ("batch bit, batch -> bit", [(2, 3), (2,)], "ab,a->b"),  # names that begin alike
        ("... z a, ... z a -> ...", [(2, 3, 4), (2, 3, 4)], "...ab,...ab->..."),  # summed in another order
        ("... n d, d m -> ... n m", [(2, 3, 4), (4, 5)], "...nd,dm->...nm"),
        ("i i -> i", [(3, 3)], "ii->i"),
    ],
)
def test_equations(pattern, shapes, equation):
    assert as_equation(pattern, len(shapes)) == equation
    tensors = [torch.randn(shape) for shape in shapes]
    assert torch.equal(torch.einsum(equation, *tensors), einops.einsum(*tensors, pattern))


@pytest.mark.parametrize("pattern", ["b i, b j", "b i -> b", "b i, b j -> b k", "b (i j), b j -> i", "b 1, b -> b"])
def test_refused_equations(pattern):
    with pytest.raises(Untranslatable):
        as_equation(pattern, 2)
