"""The user's model: `"package.module:factory"` as functions of parameters.

A factory is a function or class `(activation, num_outputs)` that returns a Flax linen
module, or `(activation, num_outputs, *, rngs)` that returns a Flax nnx module.
"""

import ast
import importlib
import importlib.machinery
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
from flax import nnx
from jax import Array

import jax_acts
from jax_acts.experiments.config.errors import ConfigError, ConfigIssue, did_you_mean

Factory = Callable[..., Any]
Params = Any

_STATELESS = "expected a model without state (BatchNorm, Dropout)"


class Model(NamedTuple):
    """A model as two pure functions."""

    init: Callable[[Array, Array], Params]
    """Return initial parameters from a key and a batch of inputs."""
    apply: Callable[[Params, Array], Array]
    """Return the outputs, `(n, num_outputs)`, of parameters and inputs `(n, …)`."""


def load_factory(path: str, directory: Path) -> Factory:
    """Import "package.module:factory"; `directory` is searched before `sys.path`.

    Raises:
        ConfigError: The module or the attribute is missing, or the import fails.
    """
    name, colon, attribute = path.partition(":")
    where = f"model = {path!r}"
    if not (colon and attribute and all(p.isidentifier() for p in name.split("."))):
        raise _error(f"{where}: expected 'package.module:factory'")
    module = _import(name, directory, where)
    factory = getattr(module, attribute, None)
    if not callable(factory):
        names = [n for n, v in vars(module).items() if callable(v) and n[0] != "_"]
        got = "none" if factory is None else type(factory).__name__
        near = did_you_mean(attribute, names)
        raise _error(
            f"{where}: expected a function or class {attribute!r} in "
            f"{module.__file__}, got {got}{near}"
        )
    return factory


def _import(name: str, directory: Path, where: str) -> Any:
    top = name.partition(".")[0]
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    spec = importlib.machinery.PathFinder.find_spec(top, [str(directory)])
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if spec and spec.origin and loaded and Path(spec.origin) != Path(loaded):
        # A module of the same name was imported from another project.
        for other in [n for n in sys.modules if n.partition(".")[0] == top]:
            del sys.modules[other]
    with _errors(where):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # an import inside the module
            folder = Path(directory, *error.name.split(".")[:-1])
            names = [p.stem for p in folder.glob("*") if p.suffix in ("", ".py")]
            near = did_you_mean(error.name.rpartition(".")[2], sorted(names))
            message = f"expected a module {error.name!r} in {directory}, got none{near}"
    raise _error(f"{where}: {message}")


def build_model(
    factory: Factory, activation: str, num_outputs: int, input_shape: tuple[int, ...]
) -> Model:
    """Call the factory and check its model with abstract arrays; nothing is compiled.

    Args:
        factory: Returns a linen or nnx module; see the head of this module. Its first
            argument is a `jax_acts.Bound`: a callable, which the layers of
            `jax_acts.linen` and `jax_acts.nnx` accept.
        activation: The spec of the activation.
        num_outputs: The number of classes, or of regression targets.
        input_shape: Shape of one input.

    Raises:
        ConfigError: The call fails, or the module has state or another output shape.
    """
    name = getattr(factory, "__name__", repr(factory))
    where = f"model {name}({activation}, {num_outputs})"
    bound = jax_acts.get(activation)
    takes_rngs = "rngs" in _parameters(factory)
    make_nnx = lambda key: factory(bound, num_outputs, rngs=nnx.Rngs(key))
    with _errors(where):
        module = (
            nnx.eval_shape(make_nnx, jax.random.key(0))
            if takes_rngs
            else factory(bound, num_outputs)
        )
    match module:
        case nn.Module():
            model = _from_linen(module)
        case nnx.Module() if takes_rngs:
            model = _from_nnx(module, make_nnx, where)
        case nnx.Module():
            raise _error(
                f"{where}: expected an argument rngs, from which an nnx module takes "
                "its initial parameters; without it all seeds are equal"
            )
        case _:
            raise _error(
                f"{where}: expected a module of flax.linen or flax.nnx, "
                f"got {type(module).__name__}"
            )
    _check(model, num_outputs, input_shape, where)
    return model


def _parameters(factory: Factory) -> tuple[str, ...]:
    # The metaclass of nnx modules hides the signature of a class.
    call = factory.__init__ if isinstance(factory, type) else factory
    try:
        return tuple(inspect.signature(call).parameters)
    except (TypeError, ValueError):  # a callable without a signature
        return ()


def _from_linen(module: nn.Module) -> Model:
    def init(key: Array, x: Array) -> Params:
        variables = dict(module.init(key, x))
        params = variables.pop("params", {})
        if variables:
            raise ValueError(f"{_STATELESS}, got {', '.join(variables)}")
        return params

    apply: Any = module.apply  # its return type depends on `mutable`
    return Model(init, lambda params, x: apply({"params": params}, x))


def _from_nnx(
    abstract: nnx.Module, make: Callable[[Array], nnx.Module], where: str
) -> Model:
    graph, _, state = nnx.split(abstract, nnx.Param, ...)
    variables = jax.tree.leaves(state, is_leaf=lambda v: isinstance(v, nnx.Variable))
    if variables:
        kinds = ", ".join(sorted({type(v).__name__ for v in variables}))
        raise _error(f"{where}: {_STATELESS}, got {kinds}")
    return Model(
        lambda key, x: nnx.split(make(key), nnx.Param, ...)[1],
        lambda params, x: nnx.merge(graph, params, state)(x),
    )


def _check(
    model: Model, num_outputs: int, input_shape: tuple[int, ...], where: str
) -> None:
    x = jax.ShapeDtypeStruct((2, *input_shape), jax.numpy.float32)
    with _errors(f"{where} on inputs {x.shape}"):
        params = jax.eval_shape(model.init, jax.random.key(0), x)
        y = jax.eval_shape(model.apply, params, x)
    if getattr(y, "shape", None) != (2, num_outputs):
        got = y.shape if hasattr(y, "shape") else type(y).__name__
        raise _error(
            f"{where} on inputs {x.shape}: expected outputs {(2, num_outputs)}, "
            f"got {got}"
        )
    if not jax.tree.leaves(params):
        raise _error(f"{where}: expected parameters, got none")


@contextmanager
def _errors(where: str) -> Iterator[None]:
    """Turn an exception in the user's code into a config error of one line."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise _error(
            f"{where}: {type(error).__name__}: {text}{_location(error)}"
        ) from (error)


def _location(error: Exception) -> str:
    """Return the last line of the traceback outside of installed packages."""
    if isinstance(error, SyntaxError):
        return ""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename
        and not frame.filename.startswith(("<", str(Path(__file__).parents[2])))
        and Path(ast.__file__).parent not in Path(frame.filename).parents
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def _error(message: str) -> ConfigError:
    return ConfigError(ConfigIssue("model", message))
