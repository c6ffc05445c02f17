"""The same functions in other libraries, by the names that `jax_acts._registry.dialects` has.

Each library is a dict from a name of the catalogue to a program, which takes inputs and
a dtype and returns the value and the first two derivatives there, each by the mode that
it was computed in.
"""

import functools
import importlib
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.compat import enable_x64
from jax_acts._registry import lookup as registry
from jax_acts.testing import evaluate, nth
from tools.golden import parsed

DTYPES: dict[str, Any] = {
    "bfloat16": ml_dtypes.bfloat16,
    "float16": np.float16,
    "float32": np.float32,
    "float64": np.float64,
}
Results = list[dict[str, NDArray[Any]]]
"""For each order of derivative the results by mode."""
Program = Callable[[NDArray[Any], Any], Results]


def catalogue() -> dict[str, ActivationFunction[...]]:
    """Returns the elementwise functions of this library that have an oracle."""
    functions = {n: registry.FUNCTIONS[n] for n in registry.names()}
    return {n: f for n, f in functions.items() if isinstance(f, ActivationFunction)}


def of_jax_acts() -> tuple[str, dict[str, Program]]:
    """Returns the version of this library, and its programs."""
    import jax_acts

    programs = {
        n: with_jax(f, lambda x, f=f: nth(f, 2)(x)) for n, f in catalogue().items()
    }
    return jax_acts.__version__, programs


def of_jax() -> tuple[str, dict[str, Program]]:
    """Returns the version of JAX, and its programs."""
    places = (jax.nn, jnp, jax.scipy.special)
    return jax.__version__, {n: with_jax(f) for n, f in found("jax", places).items()}


def of_keras() -> tuple[str, dict[str, Program]]:
    """Returns the version of Keras, over JAX, and its programs."""
    os.environ["KERAS_BACKEND"] = "jax"
    keras = importlib.import_module("keras")
    functions = found("keras", (keras.activations, keras.ops))
    return keras.__version__, {n: with_jax(f) for n, f in functions.items()}


def of_torch() -> tuple[str, dict[str, Program]]:
    """Returns the version of PyTorch, and its programs."""
    torch = importlib.import_module("torch")
    functions = found("torch", (torch.nn.functional, torch))
    return torch.__version__, {n: with_torch(f) for n, f in functions.items()}


LIBRARIES: dict[str, Callable[[], tuple[str, dict[str, Program]]]] = {
    "jax_acts": of_jax_acts,
    "jax": of_jax,
    "torch": of_torch,
    "keras": of_keras,
}


def found(dialect: str, places: tuple[Any, ...]) -> dict[str, Callable[..., Any]]:
    """Returns the functions of a library that mean one of ours at its defaults."""
    functions = {}
    for name in catalogue():
        for alias in registry.aliases(name):
            # PyTorch has a clip that must be given a bound.
            ours = alias.dialect == dialect and alias.meaning == name != "clip"
            if ours:
                spelling, given = parsed(alias.call)
                place = next((p for p in places if hasattr(p, spelling)), None)
                if place is not None and spelling.islower():
                    f = functools.partial(getattr(place, spelling), **given)
                    functions.setdefault(name, f)
    return functions


def with_jax(
    f: Callable[..., Any], second: Callable[..., Any] | None = None
) -> Program:
    """Returns a program for a function of JAX.

    Called eagerly, it compiles what itself says; the functions of this library are
    compiled whole. Under `jax.disable_jit` they would be a step at a time, which rounds
    some products anew; the laws of `jax_acts.testing` mind that.
    """
    first = lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]
    ones = lambda g: lambda x: jax.vjp(g, x)[1](jnp.ones_like(g(x)))[0]
    reverse = ones(f)
    modes = [
        {"jit": f, "vmap": jax.vmap(f)},
        {"forward": first, "reverse": reverse},
        {
            "forward over reverse": lambda x: jax.jvp(
                reverse, (x,), (jnp.ones_like(x),)
            )[1],
            "reverse over reverse": ones(reverse),
        },
    ]
    if second is not None:
        modes[2]["derivative"] = second
    compiled = jax.jit(lambda x: [{k: g(x) for k, g in m.items()} for m in modes])

    def program(xs: NDArray[Any], dtype: Any) -> Results:
        results = evaluate(compiled, xs, dtype)
        with enable_x64(dtype is np.float64):
            results[0]["eager"] = np.asarray(f(jnp.asarray(xs, dtype)))
        return results

    return program


def with_torch(f: Callable[..., Any]) -> Program:
    """Returns a program for a function of PyTorch, eager, with its autograd."""
    torch = importlib.import_module("torch")

    def program(xs: NDArray[Any], dtype: Any) -> Results:
        kind = getattr(torch, np.dtype(dtype).name)
        x = torch.tensor(xs.astype(np.float64)).to(kind).requires_grad_()
        y = f(x.clone())
        (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        second = torch.zeros_like(x)
        if first.requires_grad:
            try:
                (second,) = torch.autograd.grad(first.sum(), x, materialize_grads=True)
            except RuntimeError:  # for some functions there is none
                second = torch.full_like(x, torch.nan)
        narrow = lambda t: t.detach().double().numpy().astype(dtype)
        return [
            {"eager": narrow(y)},
            {"reverse": narrow(first)},
            {"reverse over reverse": narrow(second)},
        ]

    return program
