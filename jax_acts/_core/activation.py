"""The one type of activation: an elementwise function that knows its derivatives.

value rule  --@activation-->  ActivationFunction  <--@f.defderivative--  derivative rule
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, overload

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from jax_acts._core.function import ActivationSpec, Function, P, Rule
from jax_acts._core.residuals import int8_product


class ActivationFunction(Function[P]):
    """An elementwise function `f(x, *params, **static)` with hand-written derivatives.

    It is what `activation` makes of a value rule. Called, it is compiled by `jax.jit`,
    with a `jax.custom_jvp` inside. 16-bit inputs are computed in float32 and rounded
    once; the output has the dtype of `x`, whatever that of the parameters; integers and
    booleans become the default float.
    """

    def __init__(self, rule: Callable[P, Array], spec: ActivationSpec) -> None:
        super().__init__(rule, spec)
        self._partials: dict[str, ActivationFunction[P]] = {}
        self._from_output: Rule | None = None
        self._output_is_exact = False
        self._keep = "derivative"
        self._kept: dict[str, ActivationFunction[P]] = {}
        # What it is made of, with the method and argument: pickles are made of these.
        self._origin: tuple[ActivationFunction[P], str, str] | None = None

    def without_custom_jvp(self, *args: P.args, **kwargs: P.kwargs) -> Array:
        """Returns f(x) by the value rule alone, without `jit` or a derivative rule.

        For `jax.experimental.jet`, forward Laplacians and exporters, which do not know
        `custom_jvp`.
        """
        arrays, static = self._operands(self.arguments(*args, **kwargs))
        parameters = self.signature.parameters
        static = {n: parameters[n].default for n in self.static} | static
        return self._widened(arrays, {n: _plain(v) for n, v in static.items()})

    @property
    def derivative(self) -> "ActivationFunction[P]":
        """df/dx, with the signature of f; `derivative` of it is the second derivative.

        >>> from jax_acts import softplus
        >>> softplus.derivative(0.0)
        Array(0.5, dtype=float32)
        """
        return self.partial(self.parameters[0])

    def partial(self, name: str) -> "ActivationFunction[P]":
        """Returns the derivative with respect to the argument of that name."""
        if name not in self.parameters or name in self.static:
            known = [n for n in self.parameters if n not in self.static]
            raise TypeError(
                f"{self.__name__} has no derivative in {name!r}; it has in {known}"
            )
        if name not in self._partials:
            self.defpartial(name)(_autodiff(self._rule, name))
        return self._partials[name]

    def defderivative(self, rule: Callable[P, Array]) -> Callable[P, Array]:
        """Sets df/dx, by a rule with the arguments of the value rule."""
        return self.defpartial(self.parameters[0])(rule)

    def defpartial(
        self, name: str
    ) -> Callable[[Callable[P, Array]], Callable[P, Array]]:
        """Returns a decorator that sets the derivative in the argument `name`."""

        def define(rule: Callable[P, Array]) -> Callable[P, Array]:
            partial = ActivationFunction(rule, ActivationSpec())
            if partial.parameters != self.parameters:
                raise TypeError(
                    f"a derivative takes the arguments of its function: "
                    f"{self.__name__}{self.signature}, not {partial.signature}"
                )
            partial._origin = (self, "partial", name)
            partial.__name__ = f"{self.__name__}_d{name}"
            partial.__doc__ = f"The derivative of `{self.__name__}` in `{name}`."
            self._partials[name] = partial
            return rule

        return define

    def defoutput(
        self, *, exact: bool = False
    ) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
        """Returns a decorator that sets df/dx as a function of f(x), in place of x.

        If it is exact, it is what the backward pass uses.
        """

        def define(rule: Callable[..., Array]) -> Callable[..., Array]:
            self._from_output, self._output_is_exact = rule, exact
            return rule

        return define

    def with_residuals(self, what: str) -> "ActivationFunction[P]":
        """Returns f with a backward pass that keeps something else for itself.

        Each choice is one array of the size of x, and costs nothing where another
        operation keeps the same: a product keeps the output that it is given.

        >>> from jax_acts import tanh
        >>> jax.grad(tanh.keeping("output"))(0.5)
        Array(0.786448, dtype=float32, weak_type=True)

        Args:
            what: "derivative", as f itself, which may be the output where that gives
                it exactly; "input", of which the derivative is computed again, to the
                same number; "output", of which it is computed with fewer digits where
                the output is near a limit; or "int8", eight bits for each
                element, whose error is up to the 254th part of the greatest derivative
                of the array: for first derivatives alone.

        Raises:
            ValueError: It is none of these, or the derivative is no function of the
                output.
        """
        outputs = ["output"] if self._from_output else []
        valid = ["derivative", "input", *outputs, "int8"]
        if what not in valid:
            raise ValueError(
                f"{self.__name__} can keep {', '.join(map(repr, valid))}, not {what!r}"
            )
        if what == self._keep:
            return self
        if what not in self._kept:
            kept = ActivationFunction(self._rule, self.spec)
            kept._partials, kept._from_output = self._partials, self._from_output
            kept._keep, kept._origin = what, (self, "keeping", what)
            self._kept[what] = kept
        return self._kept[what]

    def __repr__(self) -> str:
        if self._origin is None:
            return super().__repr__()
        function, method, argument = self._origin
        return f"{function!r}.{method}({argument!r})"

    def __reduce__(self) -> str | tuple[Any, ...]:
        if self._origin is None:
            return super().__reduce__()
        function, method, argument = self._origin
        return getattr(ActivationFunction, method), (function, argument)

    def _trace(self, arguments: dict[str, Any]) -> Array:
        return self._differentiable(*self._operands(arguments))

    def _operands(
        self, arguments: dict[str, Any]
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Returns the arrays, made floating and of one shape, and the static rest."""
        static = {n: v for n, v in arguments.items() if n in self.static}
        arrays = {
            n: self._floating(n, v) for n, v in arguments.items() if n not in static
        }
        try:
            shape = jnp.broadcast_shapes(*(a.shape for a in arrays.values()))
        except ValueError:
            shapes = ", ".join(f"{n} {a.shape}" for n, a in arrays.items())
            raise ValueError(
                f"{self.__name__}: shapes do not broadcast: {shapes}"
            ) from None
        x = self.parameters[0]
        return {
            n: jnp.broadcast_to(a, shape) if n == x or a.ndim else a
            for n, a in arrays.items()
        }, static

    def _floating(self, name: str, value: Any) -> Array:
        array = jnp.asarray(value)
        if jnp.issubdtype(array.dtype, jnp.floating):
            return array
        if array.dtype == bool or jnp.issubdtype(array.dtype, jnp.integer):
            return array.astype(jnp.result_type(float))
        raise TypeError(
            f"{self.__name__} takes real numbers; {name} has dtype {array.dtype}"
        )

    @functools.cached_property
    def _value(self) -> Callable[..., Array]:
        """The value rule with `jit`, which has each kind of array traced once.

        The rule is wanted twice, alone and beside its derivative; what is traced again
        and again by transformations is then one equation.
        """

        def value(arrays: dict[str, Array], static: tuple[Any, ...]) -> Array:
            return self._widened(arrays, dict(static))

        value.__name__ = self.__name__
        return jax.jit(value, static_argnums=1)

    def _widened(self, arrays: Mapping[str, Array], static: Mapping[str, Any]) -> Array:
        """Returns f, computed in float32 or wider, rounded once to the dtype of x."""
        dtype = arrays[self.parameters[0]].dtype
        wide = dtype if dtype.itemsize >= 4 else jnp.float32
        cast = {n: a.astype(wide) for n, a in arrays.items()}
        return self._rule(**cast, **static).astype(dtype)

    def _differentiable(
        self, arrays: Mapping[str, Array], static: Mapping[str, Any]
    ) -> Array:
        """Returns f, whose derivatives are the partials.

        The backward pass keeps one array for each argument it differentiates in: the
        partial derivative, in the dtype of x, if nothing else is asked for.
        """
        names = tuple(arrays)  # the closures outlive the trace that the arrays are of
        fixed = tuple(static.items())

        def value(*operands: Array) -> Array:
            # What is traced is kept for one mesh, and JAX has none at first, and then
            # an empty one.
            with jax.sharding.use_abstract_mesh(jax.sharding.get_abstract_mesh()):
                return self._value(dict(zip(names, operands, strict=True)), fixed)

        def jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
            y = f(*primals)
            operands = dict(zip(names, primals, strict=True))
            terms = [
                self._term(name, operands, static, y, tangent)
                for name, tangent in zip(names, tangents, strict=True)
                if type(tangent) is not SymbolicZero
            ]
            return y, functools.reduce(jnp.add, terms)

        value.__name__ = self.__name__
        f = jax.custom_jvp(value)
        f.defjvp(jvp, symbolic_zeros=True)
        return f(*arrays.values())

    def _term(
        self,
        name: str,
        operands: dict[str, Array],
        static: Mapping[str, Any],
        y: Array,
        tangent: Array,
    ) -> Array:
        """Returns what one argument adds to the tangent of f.

        A checkpoint keeps what it is given, and nothing that is made of it.
        """
        x = self.parameters[0]
        by_output = self._from_output if name == x else None
        partial = self.partial(name)
        if self._keep == "int8":
            slope = partial._differentiable(operands, static)
            return int8_product(self.__name__, slope, tangent)
        wanted = self._keep == "output" or self._output_is_exact
        if wanted and self._keep != "input" and by_output is not None:
            others = {n: a for n, a in operands.items() if n != x}

            def product(y: Array, others: dict[str, Array], tangent: Array) -> Array:
                wide = jnp.promote_types(y.dtype, jnp.float32)
                slope = by_output(
                    y.astype(wide),
                    **{n: a.astype(wide) for n, a in others.items()},
                    **static,
                )
                return _times(slope.astype(y.dtype), tangent)

            # A forward pass makes nothing of its output that could be stored for this.
            return jax.checkpoint(product, prevent_cse=False)(y, others, tangent)

        def times(operands: dict[str, Array], tangent: Array) -> Array:
            return _times(partial._differentiable(operands, static), tangent)

        lean = self._keep != "derivative"
        return (jax.checkpoint(times) if lean else times)(operands, tangent)


@overload
def activation(rule: Callable[P, Array], /) -> ActivationFunction[P]: ...
@overload
def activation(
    *,
    cite: str = ...,
    range: tuple[float, float] = ...,
    domain: tuple[float, float] = ...,
    kinks: Mapping[float, float] = ...,
    reference: Callable[..., Any] | None = ...,
    surrogate: Callable[..., Any] | None = ...,
) -> Callable[[Callable[P, Array]], ActivationFunction[P]]: ...
def activation(rule: Any = None, /, **spec: Any) -> Any:
    """Makes a value rule an `ActivationFunction`.

    The keyword arguments are the fields of `ActivationSpec`; all may be left out.

    >>> @activation
    ... def cube(x):
    ...     return x**3
    >>> @cube.defderivative
    ... def _(x):
    ...     return 3 * x**2
    >>> jax.grad(cube)(2.0)
    Array(12., dtype=float32, weak_type=True)
    """
    if rule is not None:
        return ActivationFunction(rule, ActivationSpec())
    return lambda rule: ActivationFunction(rule, ActivationSpec(**spec))


def _plain(value: Any) -> Any:
    """Returns a static argument; of a function, or of several, the value rules."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return getattr(value, "without_custom_jvp", value)


def _autodiff(rule: Rule, name: str) -> Rule:
    """Returns the derivative of a rule in one argument by forward-mode autodiff.

    It is NaN where x is, while autodiff of a choice forgets what it chose by.
    """
    parameters = inspect.signature(rule).parameters
    input_name = next(iter(parameters))

    @functools.wraps(rule)
    def derivative(**arguments: Any) -> Array:
        x = arguments[input_name]
        primal = jnp.asarray(arguments.pop(name, parameters[name].default), x.dtype)
        along = lambda a: rule(**{name: a}, **arguments)
        slope = jax.jvp(along, [primal], [jnp.ones_like(primal)])[1]
        return jnp.where(jnp.isnan(x), x, slope)

    return derivative


def _times(derivative: Array, tangent: Array) -> Array:
    """Returns the product, computed in the wider dtype, in the dtype of `derivative`.

    The parameters of a 16-bit network are often float32, and so are their tangents.
    """
    wide = jnp.promote_types(derivative.dtype, tangent.dtype)
    return (derivative.astype(wide) * tangent.astype(wide)).astype(derivative.dtype)
