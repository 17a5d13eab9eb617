import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsrefactor.facts.types import (
    BOOL,
    FLOAT,
    INT,
    MODULE,
    NONE,
    STR,
    TENSOR,
    TOP,
    UNKNOWN,
    Type,
    accepts,
    dict_of,
    join,
    list_of,
    optional,
    parse,
    render,
    tuple_of,
)  # fmt: skip

leaves = st.sampled_from([TENSOR, INT, FLOAT, BOOL, STR, NONE, UNKNOWN, Type("mod.Pair")])
types = st.recursive(
    leaves,
    lambda t: st.one_of(
        t.map(list_of), st.tuples(t, t).map(tuple_of), t.map(lambda v: dict_of(STR, v)), t.map(optional), st.just(TOP)
    ),
    max_leaves=5,
)


@given(types, types)
def test_join_does_not_depend_on_the_order(a, b):
    assert join(a, b) == join(b, a)


@given(types)
def test_join_is_idempotent_and_unknown_is_neutral(a):
    assert join(a, a) == a
    assert join(a, UNKNOWN) == join(UNKNOWN, a) == a
    assert join(a, TOP) == TOP


@given(types, types)
def test_what_is_joined_holds_both(a, b):
    both = join(a, b)
    if both.known and a.known and b.known:
        assert accepts(both, a)
        assert accepts(both, b)


@given(types)
def test_the_text_of_a_type_reads_back(a):
    assert parse(str(a)) == (TOP if "!" in a.names() else a)  # what holds something inexpressible is so itself


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (INT, FLOAT, "Union[float, int]"),
        (NONE, TENSOR, "Optional[Tensor]"),
        (optional(INT), FLOAT, "Optional[Union[float, int]]"),
        (list_of(UNKNOWN), list_of(TENSOR), "List[Tensor]"),
        (list_of(TENSOR), list_of(NONE), "List[Optional[Tensor]]"),
        (tuple_of([INT, INT]), tuple_of([INT]), "!"),
        (tuple_of([INT, NONE]), tuple_of([INT, TENSOR]), "Tuple[int, Optional[Tensor]]"),
        (list_of(INT), TENSOR, "!"),
        (dict_of(STR, INT), dict_of(STR, FLOAT), "Dict[str, Union[float, int]]"),
    ],
)
def test_joins(a, b, expected):
    assert str(join(a, b)) == expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("int | None", "Optional[int]"),
        ("Optional[typing.List[int]]", "Optional[List[int]]"),
        ("torch.Tensor", "Tensor"),
        ("torch.LongTensor", "Tensor"),
        ("torch.jit.annotations.List[int]", "List[int]"),
        ("torch.Size", "List[int]"),
        ("Tuple[int, ...]", "!"),
        ("Any", "!"),
        ("List", "!"),
        ("torch.nn.Module", "!"),
        ("'Optional[int]'", "Optional[int]"),
        ("Final[bool]", "bool"),
        ("not a type", "!"),
    ],
)
def test_reads_annotations(annotation, expected):
    assert str(parse(annotation)) == expected


def test_renders_with_the_names_of_the_file():
    text = render(
        optional(list_of(TENSOR)), {"typing.Optional": "Optional", "typing.List": "t.List", "torch.Tensor": "T"}.get
    )
    assert text == "Optional[t.List[T]]"


@pytest.mark.parametrize("type_", [TOP, UNKNOWN, MODULE, list_of(UNKNOWN)])
def test_what_torchscript_cannot_say_is_not_rendered(type_):
    with pytest.raises(ValueError, match="cannot be written"):
        render(type_, str)
