"""A function's parameters as a fixed list, without ``*args``, a bare ``*`` and ``**kwargs``."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst


def spelled_out(old: cst.Parameters, positional: Sequence[str], keywords: Sequence[str]) -> cst.Parameters:
    """What `SpellOutParameters` makes of a header, laid out as the author has it."""
    first = [*old.params, *map(_parameter, positional)]
    named = [*old.kwonly_params, *map(_parameter, keywords)]
    required = [p for p in named if p.default is None]
    optional = [p for p in named if p.default is not None]
    if required and any(p.default is not None for p in first):
        new = [*first, *optional]
    else:  # each takes the comma, with the line break after it, of the one whose place it takes
        places = zip([*required, *optional], named, strict=True)
        new, required = [*first, *(p.with_changes(comma=place.comma) for p, place in places)], []
    every = [*old.posonly_params, *old.params, old.star_arg, *old.kwonly_params, old.star_kwarg]
    end = next(p for p in reversed(every) if isinstance(p, cst.Param))  # what stands before the parenthesis stays
    for group in (new, required):
        group[:-1] = [_with_comma(p) for p in group[:-1]]
    if required and new:
        new[-1] = _with_comma(new[-1])
    if last := required or new:
        last[-1] = last[-1].with_changes(comma=end.comma, whitespace_after_param=end.whitespace_after_param)
    star = cst.ParamStar() if required else cst.MaybeSentinel.DEFAULT
    return old.with_changes(params=new, star_arg=star, kwonly_params=required, star_kwarg=None)


def _parameter(text: str) -> cst.Param:
    header = cst.parse_statement(f"def f({text}): pass")
    assert isinstance(header, cst.FunctionDef)
    return header.params.params[0]


def _with_comma(parameter: cst.Param) -> cst.Param:
    if isinstance(parameter.comma, cst.Comma):
        return parameter
    return parameter.with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
