"""The user's model: `"package.module:factory"` as functions of parameters.

A factory is a function or class `(activation, num_outputs)` that returns a Flax linen
module, or `(activation, num_outputs, *, rngs)` that returns a Flax nnx module.
"""

import importlib
import importlib.machinery
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
from flax import nnx
from jax import Array

import jax_acts
from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.config.errors import ConfigError, ConfigIssue

Factory = Callable[..., Any]
Params = Any


class _InvalidModelError(Exception):
    """A model that does not fit; the message has no prefix yet."""


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
    with _config_errors(f"model = {path!r}"):
        if not (colon and attribute and all(map(str.isidentifier, name.split(".")))):
            raise _InvalidModelError("expected 'package.module:factory'")
        module = _import(name, directory)
        factory = getattr(module, attribute, None)
        if not callable(factory):
            names = [n for n, v in vars(module).items() if callable(v) and n[0] != "_"]
            got = "none" if factory is None else type(factory).__name__
            raise _InvalidModelError(
                f"expected a function or class {attribute!r} in {module.__file__}, "
                f"got {got}{did_you_mean(attribute, names)}"
            )
    return factory


def _import(name: str, directory: Path) -> Any:
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
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # an import inside the module
        parent, _, missing = str(error.name).rpartition(".")
        files = directory.joinpath(*parent.split(".")).glob("*")
        near = did_you_mean(
            missing, sorted(p.stem for p in files if p.suffix in ("", ".py"))
        )
        raise _InvalidModelError(
            f"expected a module {error.name!r} in {directory}, got none{near}"
        ) from None


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
    make_nnx = lambda key: factory(bound, num_outputs, rngs=nnx.Rngs(key))
    with _config_errors(where):
        # The metaclass of nnx modules hides the signature of a class.
        call = factory.__init__ if isinstance(factory, type) else factory
        if takes_rngs := "rngs" in inspect.signature(call).parameters:
            module = nnx.eval_shape(make_nnx, jax.random.key(0))
        else:
            module = factory(bound, num_outputs)
        match module:
            case nn.Module():
                model = _from_linen(module)
            case nnx.Module() if takes_rngs:
                model = _from_nnx(module, make_nnx)
            case nnx.Module():
                raise _InvalidModelError(
                    "expected an argument rngs, from which an nnx module takes its "
                    "initial parameters; without it all seeds are equal"
                )
            case _:
                raise _InvalidModelError(
                    "expected a module of flax.linen or flax.nnx, "
                    f"got {type(module).__name__}"
                )
    x = jax.ShapeDtypeStruct((2, *input_shape), jax.numpy.float32)
    with _config_errors(f"{where} on inputs {x.shape}"):
        params = jax.eval_shape(model.init, jax.random.key(0), x)
        y = jax.eval_shape(model.apply, params, x)
        got = getattr(y, "shape", type(y).__name__)
        if got != (2, num_outputs):
            raise _InvalidModelError(f"expected outputs {(2, num_outputs)}, got {got}")
        if not jax.tree.leaves(params):
            raise _InvalidModelError("expected parameters, got none")
    return model


def _from_linen(module: nn.Module) -> Model:
    def init(key: Array, x: Array) -> Params:
        variables = dict(module.init(key, x))
        params = variables.pop("params", {})
        _check_stateless(variables)
        return params

    apply: Any = module.apply  # its return type depends on `mutable`
    return Model(init, lambda params, x: apply({"params": params}, x))


def _from_nnx(abstract: nnx.Module, make: Callable[[Array], nnx.Module]) -> Model:
    graph, _, state = nnx.split(abstract, nnx.Param, ...)
    variables = jax.tree.leaves(state, is_leaf=lambda v: isinstance(v, nnx.Variable))
    _check_stateless(sorted({type(v).__name__ for v in variables}))
    return Model(
        lambda key, x: nnx.split(make(key), nnx.Param, ...)[1],
        lambda params, x: nnx.merge(graph, params, state)(x),
    )


def _check_stateless(variables: Iterable[str]) -> None:
    if names := ", ".join(variables):
        raise _InvalidModelError(
            f"expected a model without state (BatchNorm, Dropout), got {names}"
        )


@contextmanager
def _config_errors(where: str) -> Iterator[None]:
    """Turn an exception in the user's code into a config error of one line."""
    try:
        yield
    except Exception as error:
        message = " ".join(str(error).split())
        if not isinstance(error, _InvalidModelError):
            message = f"{type(error).__name__}: {message}{_location(error)}"
        issue = ConfigIssue("model", f"{where}: {message}")
        raise ConfigError(issue) from error


def _location(error: Exception) -> str:
    """Return the last line of the traceback outside of installed packages."""
    if isinstance(error, SyntaxError):
        return ""
    installed = ("<", sysconfig.get_path("stdlib"), str(Path(__file__).parents[2]))
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename
        and not frame.filename.startswith(installed)
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
