"""Each coroutine has a twin in each front end: same parameters, same result, and words about it."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

import httpio_aio
import httpio_trio
from httpio import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class FrontEnd(NamedTuple):
    """A class with a method ``x`` for each ``co_x`` of `HTTPConnection`."""

    twins: type
    #: Parameters that a twin may have in addition, each with what it returns then.
    additional: dict[str, str]


FRONT_ENDS = {
    "blocking": FrontEnd(HTTPConnection, {"via_cofun": "Generator[None, None, {result}]"}),
    "asyncio": FrontEnd(httpio_aio.HTTPConnection, {}),
    "trio": FrontEnd(httpio_trio.HTTPConnection, {}),
}
COROUTINES = sorted(name for name in vars(HTTPConnection) if name.startswith("co_")) + sorted(
    name for base in HTTPConnection.__mro__[1:] for name in vars(base) if name.startswith("co_")
)

every_twin = pytest.mark.parametrize("name", COROUTINES)
every_front_end = pytest.mark.parametrize("front_end", FRONT_ENDS.values(), ids=FRONT_ENDS)


def twin_of(name: str, front_end: FrontEnd) -> Callable[..., object]:
    """Return the twin of the coroutine *name*."""
    twin: Callable[..., object] = getattr(front_end.twins, name.removeprefix("co_"))
    return twin


def signature_of(function: Callable[..., object]) -> inspect.Signature:
    """Return the signature of *function*, with its annotations as they are written."""
    return inspect.signature(function)


def result_of(name: str) -> str:
    """Return the type of what the coroutine *name* returns, as it is written."""
    annotation = signature_of(getattr(HTTPConnection, name)).return_annotation
    match = re.fullmatch(r"Poll(?:Coroutine|Generator)\[(.*)\]", annotation)
    assert match, f"{name} is annotated with {annotation}"
    return match[1]


def test_there_are_coroutines() -> None:
    assert {"co_connect", "co_send_request", "co_read_response", "co_read", "co_write"} <= {
        *COROUTINES
    }


@every_twin
@every_front_end
def test_a_twin_has_the_same_parameters(name: str, front_end: FrontEnd) -> None:
    wanted = list(signature_of(getattr(HTTPConnection, name)).parameters.values())
    found = list(signature_of(twin_of(name, front_end)).parameters.values())
    # Name, kind, default and annotation of each, in the same order.
    assert found[: len(wanted)] == wanted
    for parameter in found[len(wanted) :]:
        assert parameter.name in front_end.additional
        assert parameter.default is False


@every_twin
@every_front_end
def test_a_twin_returns_what_the_coroutine_returns(name: str, front_end: FrontEnd) -> None:
    signature = signature_of(twin_of(name, front_end))
    result = result_of(name)
    wanted = {*result.split(" | ")}
    for parameter, type_ in front_end.additional.items():
        if parameter in signature.parameters:
            wanted.add(type_.format(result=result))
    assert {*signature.return_annotation.split(" | ")} == wanted


@every_twin
@pytest.mark.parametrize("name_of_front_end", sorted(FRONT_ENDS.keys() - {"blocking"}))
def test_a_twin_of_an_adapter_is_awaited(name: str, name_of_front_end: str) -> None:
    assert inspect.iscoroutinefunction(twin_of(name, FRONT_ENDS[name_of_front_end]))


@every_twin
@every_front_end
def test_both_have_docstrings(name: str, front_end: FrontEnd) -> None:
    for function in (getattr(HTTPConnection, name), twin_of(name, front_end)):
        assert inspect.getdoc(function)


@every_twin
def test_a_blocking_twin_runs_the_coroutine_even_of_a_subclass(name: str) -> None:
    parameters = list(signature_of(getattr(HTTPConnection, name)).parameters.values())[1:]
    passed = {one.name: object() for one in parameters}
    keyword_only = {
        one.name: passed[one.name] for one in parameters if one.kind is one.KEYWORD_ONLY
    }
    positional = [passed[one.name] for one in parameters if one.kind is not one.KEYWORD_ONLY]
    result = object()
    seen: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def coroutine(
        self: HTTPConnection, *args: object, **kwargs: object
    ) -> Generator[None, None, object]:
        seen.append((args, kwargs))
        return result
        yield  # what makes it a generator

    subclass = type("Subclass", (HTTPConnection,), {name: coroutine})
    twin = getattr(subclass("localhost"), name.removeprefix("co_"))
    assert twin(*positional, **keyword_only) is result
    assert twin(**passed) is result
    assert seen == [(tuple(positional), keyword_only)] * 2


@every_twin
def test_a_coroutine_can_be_awaited_and_does_nothing_before(name: str) -> None:
    conn = HTTPConnection("localhost")
    parameters = list(signature_of(getattr(conn, name)).parameters.values())
    values = {
        "method": "GET",
        "path": "/",
        "buf": bytearray(1),
        "size": 1,
        "file": None,
        "ranges": [(0, 1)],
        "buffers": [bytearray(1)],
    }
    args = [values[one.name] for one in parameters if one.default is inspect.Parameter.empty]
    made = getattr(conn, name)(*args)
    assert inspect.isgenerator(made)
    assert inspect.isawaitable(made)
    made.close()
    assert not conn.response_pending()
