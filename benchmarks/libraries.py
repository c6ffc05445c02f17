"""The functions of the catalogue in other libraries, matched by the dialect tables.

Each library is a dict from a name of the catalogue to a program. A program takes inputs
and a dtype, and returns the value and the first two derivatives, each by the mode in
which it was computed.
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
from jax_acts._registry.parser import parse_spec
from jax_acts.testing import evaluate, nth

DTYPES: dict[str, Any] = {
    "bfloat16": ml_dtypes.bfloat16,
    "float16": np.float16,
    "float32": np.float32,
    "float64": np.float64,
}
Results = list[dict[str, NDArray[Any]]]
"""Results by mode, one dict per order of the derivative."""
Program = Callable[[NDArray[Any], Any], Results]


def catalogue() -> dict[str, ActivationFunction[...]]:
    """Return the elementwise functions of this library by name."""
    functions = {n: registry.FUNCTIONS[n] for n in registry.names()}
    return {n: f for n, f in functions.items() if isinstance(f, ActivationFunction)}


def of_jax_acts() -> tuple[str, dict[str, Program]]:
    """Return the version of jax_acts and its programs."""
    import jax_acts

    programs = {
        n: with_jax(f, lambda x, f=f: nth(f, 2)(x)) for n, f in catalogue().items()
    }
    return jax_acts.__version__, programs


def of_jax() -> tuple[str, dict[str, Program]]:
    """Return the version of JAX and its programs."""
    modules = (jax.nn, jnp, jax.scipy.special)
    return jax.__version__, {
        n: with_jax(f) for n, f in matching("jax", modules).items()
    }


def of_keras() -> tuple[str, dict[str, Program]]:
    """Return the version of Keras (JAX backend) and its programs."""
    os.environ["KERAS_BACKEND"] = "jax"
    keras = importlib.import_module("keras")
    functions = matching("keras", (keras.activations, keras.ops))
    return keras.__version__, {n: with_jax(f) for n, f in functions.items()}


def of_torch() -> tuple[str, dict[str, Program]]:
    """Return the version of PyTorch and its programs."""
    torch = importlib.import_module("torch")
    functions = matching("torch", (torch.nn.functional, torch))
    return torch.__version__, {n: with_torch(f) for n, f in functions.items()}


LIBRARIES: dict[str, Callable[[], tuple[str, dict[str, Program]]]] = {
    "jax_acts": of_jax_acts,
    "jax": of_jax,
    "torch": of_torch,
    "keras": of_keras,
}


def matching(dialect: str, modules: tuple[Any, ...]) -> dict[str, Callable[..., Any]]:
    """Return the functions of a library that equal one of ours at its defaults.

    Args:
        dialect: A dialect of the registry.
        modules: The modules in which its functions are looked up, in this order.
    """
    functions = {}
    for name in catalogue():
        for alias in registry.aliases(name):
            # torch.clip requires a bound.
            if alias.dialect == dialect and alias.meaning == name != "clip":
                call = parse_spec(alias.call)
                module = next((m for m in modules if hasattr(m, call.name)), None)
                if module is not None and call.name.islower():
                    f = functools.partial(getattr(module, call.name), **call.named)
                    functions.setdefault(name, f)
    return functions


def with_jax(
    f: Callable[..., Any], second: Callable[..., Any] | None = None
) -> Program:
    """Return a program for a JAX function.

    The eager mode calls `f` outside `jit`. Functions of this library are compiled whole
    there too; `jax.disable_jit` is covered by the properties of `jax_acts.testing`.
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
    """Return a program for a PyTorch function, eager, with its autograd."""
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
            except RuntimeError:  # some functions have no second derivative
                second = torch.full_like(x, torch.nan)
        narrow = lambda t: t.detach().double().numpy().astype(dtype)
        return [
            {"eager": narrow(y)},
            {"reverse": narrow(first)},
            {"reverse over reverse": narrow(second)},
        ]

    return program
