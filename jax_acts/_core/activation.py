"""Elementwise functions with custom JVP rules.

value rule  --@activation-->  ActivationFunction  <--@f.defderivative--  derivative
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, overload

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from jax_acts._core.arguments import as_real, compute_dtype, replace_limits
from jax_acts._core.errors import did_you_mean
from jax_acts._core.function import Function, P, Rule
from jax_acts._core.residuals import (
    Policy,
    mul_from_input,
    mul_from_int8,
    mul_from_output,
)
from jax_acts._core.sharding import broadcast
from jax_acts._core.spec import ActivationSpec
from jax_acts._numerics.kept import keep_rule
from jax_acts._numerics.ordinary import (
    building_blocks,
    in_rule,
    is_bfloat16,
    is_ordinary,
    is_portable,
    is_taylor,
    rounded_to_bfloat16,
)

_OWNED = {"_call", "_compiled", "_copies", "_origin", "_rules", "_value", "_by_value"}
"""The attributes that a function does not share with its rules."""

Implementation = Literal["default", "portable", "xla"]


class ActivationFunction(Function[P]):
    """An elementwise function `f(x, *params, **static)` with custom JVP rules.

    `activation` makes it of a value rule. A call runs `jax.jit` around
    `jax.custom_jvp`. 16-bit inputs are computed in float32 and rounded once, unless the
    value is exact in 16 bits. The output has the dtype and the weak type of `x`,
    whatever the dtype of the parameters; integers and booleans become the default
    float.
    """

    def __init__(self, rule: Callable[P, Array], spec: ActivationSpec) -> None:
        super().__init__(rule, spec)
        self._partials: dict[str, ActivationFunction[P]] = {}
        self._output_rule: Rule | None = None
        self._output_is_exact = False
        self._xla_rule: Rule | None = None
        self._policy = "derivative"
        self._implementation = "default"
        self._is_autodiff = False
        self._copies: dict[Any, ActivationFunction[P]] = {}
        self._compiled: dict[frozenset[str], Callable[P, Array]] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Array:
        if is_ordinary() or is_taylor(*args, *kwargs.values()):
            return self.without_custom_jvp(*args, **kwargs)
        if is_portable() and self._implementation != "portable":  # in a portable rule
            return self.with_implementation("portable")(*args, **kwargs)
        if is_bfloat16():  # in a rule: a compiled call is shared with other callers
            arguments = self.arguments(*args, **kwargs)
            result = self._trace(arguments, frozenset())
            return self._match_weak_type(arguments, result)
        if len(args) + len(kwargs) < 2:
            return self._call(*args, **kwargs)
        given = {**dict(zip(self.parameters, args, strict=False)), **kwargs}
        constants = frozenset(n for n, v in given.items() if type(v) in (float, int))
        if constants not in self._compiled:
            self._compiled[constants] = self._compile(constants)
        return self._compiled[constants](*args, **kwargs)

    def without_custom_jvp(self, *args: P.args, **kwargs: P.kwargs) -> Array:
        """Compute f(x) by ordinary primitives, without `jit` and `custom_jvp`.

        For Taylor mode (`jax.experimental.jet`), forward Laplacians and exporters,
        which support neither `custom_jvp` nor bit patterns. The formula is that of the
        value rule; exponentials, logarithms and sines are those of XLA, and sums and
        products are rounded. Float32 values are within 16 ulp of max(1, |y|).
        """
        arguments = self.arguments(*args, **kwargs)
        parameters = self.signature.parameters
        # A Python float is a constant of the rule. Zeros are tabulated for the default
        # value, so only rules, which state what they call, pass other constants.
        constants = {
            n: float(v)
            for n, v in arguments.items()
            if n not in self.static
            and n != self.parameters[0]
            and type(v) in (int, float)
            and (in_rule() or v == parameters[n].default)
        }
        arrays, static = self._operands(
            {n: v for n, v in arguments.items() if n not in constants}
        )
        static = {n: parameters[n].default for n in self.static} | static
        rules = {n: _without_custom_jvp(v) for n, v in static.items()} | constants
        with building_blocks("ordinary"):
            result = self._evaluate(arrays, rules)
        return self._match_weak_type(arguments, result)

    @property
    def derivative(self) -> "ActivationFunction[P]":
        """df/dx, with the signature of f; its `derivative` is the second derivative.

        >>> from jax_acts import softplus
        >>> softplus.derivative(0.0)
        Array(0.5, dtype=float32, weak_type=True)
        """
        return self.partial(self.parameters[0])

    def partial(self, name: str) -> "ActivationFunction[P]":
        """Return the derivative with respect to an argument."""
        valid = [n for n in self.parameters if n not in self.static]
        if name not in valid:
            raise TypeError(
                f"{self.__name__}.partial: expected one of {', '.join(valid)}, "
                f"got {name!r}{did_you_mean(name, valid)}"
            )
        if self._is_variant and self._origin is not None:
            partial = self._origin[1][0].partial(name)
            is_portable = self._implementation == "portable"
            return partial.with_implementation("portable") if is_portable else partial
        key = ("partial", name)
        if key not in self._copies:
            rules = self._partial_rules(name)
            partial = self._copies[key] = rules._detach()
            partial._rules = rules
            partial._origin = ActivationFunction.partial, (self, name)
        return self._copies[key]

    def defderivative(self, rule: Callable[P, Array]) -> Callable[P, Array]:
        """Set df/dx to a rule with the arguments of the value rule."""
        return self.defpartial(self.parameters[0])(rule)

    def defpartial(
        self, name: str
    ) -> Callable[[Callable[P, Array]], Callable[P, Array]]:
        """Return a decorator that sets the derivative with respect to `name`."""

        def define(rule: Callable[P, Array]) -> Callable[P, Array]:
            spec = ActivationSpec(limits=self.spec.limits)
            partial = ActivationFunction(rule, spec)
            if partial.parameters != self.parameters:
                raise TypeError(
                    f"{self.__name__}.defpartial: expected a rule with the signature "
                    f"{self.signature}, got {partial.signature}"
                )
            partial._rules = partial
            partial.__name__ = f"{self.__name__}_d{name}"
            partial.__doc__ = f"Derivative of `{self.__name__}` in `{name}`."
            self._partials[name] = partial
            self._copies.pop(("partial", name), None)
            return rule

        return define

    def defoutput(
        self, *, exact: bool = False
    ) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
        """Return a decorator that sets df/dx as a function of f(x) instead of x.

        The policy "output" uses it. If it is exact, the default policy does, too.
        """

        def define(rule: Callable[..., Array]) -> Callable[..., Array]:
            self._output_rule, self._output_is_exact = rule, exact
            self.__dict__.pop("_rules", None)
            return rule

        return define

    def defxla(self, rule: Callable[P, Array]) -> Callable[P, Array]:
        """Set the formula that XLA fuses, in the dtype of x: implementation "xla"."""
        self._xla_rule = rule
        self.__dict__.pop("_rules", None)
        return rule

    def with_residuals(self, policy: str) -> "ActivationFunction[P]":
        """Return a copy of f that saves different residuals for the backward pass.

        Each policy saves one array of the shape of x. An array that another operation
        saves anyway is shared: a matmul, for example, saves its input, the output of f.

        >>> from jax_acts import tanh
        >>> jax.grad(tanh.with_residuals("output"))(0.5)
        Array(0.786448, dtype=float32, weak_type=True)

        Args:
            policy: "derivative", the default, which saves the output if the derivative
                is an exact function of it; "input", from which the backward pass
                recomputes the derivative, with the same result; "output", from which it
                recomputes the derivative, less accurately where the output saturates;
                "int8", one byte per element, with an error of at most
                max |f'(x)| / 254 over the array, for first derivatives only.

        Raises:
            ValueError: The policy is unknown, or "output" and the derivative is not a
                function of the output.
        """
        valid = [p for p in get_args(Policy) if p != "output" or self._output_rule]
        if policy not in valid:
            raise ValueError(
                f"{self.__name__}.with_residuals: expected "
                f"{', '.join(map(repr, valid))}, got {policy!r}"
                f"{did_you_mean(str(policy), valid)}"
            )
        return self._variant(policy, self._implementation)

    def with_implementation(self, implementation: str) -> "ActivationFunction[P]":
        """Return a copy of f with another implementation.

        >>> from jax_acts import gelu
        >>> gelu.with_implementation("xla")(jnp.ones(1))
        Array([0.841192], dtype=float32)

        Args:
            implementation: "default", the rules of f, of which some differ by platform;
                "portable", the same rules on every platform, for kernels of Pallas,
                which support neither a choice by platform nor the calls that keep the
                rules in second derivatives of a scan; "xla", the formula of
                `jax.nn` in the dtype of x, which XLA:GPU fuses into the matrix product
                before it, with the derivatives of f. The accuracy is then that of the
                fused kernel.

        Raises:
            ValueError: The implementation is unknown, or "xla" for a function that XLA
                does not fuse.
        """
        valid = [n for n in get_args(Implementation) if n != "xla" or self._xla_rule]
        if implementation not in valid:
            raise ValueError(
                f"{self.__name__}.with_implementation: expected "
                f"{', '.join(map(repr, valid))}, got {implementation!r}"
                f"{did_you_mean(str(implementation), valid)}"
            )
        return self._variant(self._policy, implementation)

    @property
    def _is_variant(self) -> bool:
        return (self._policy, self._implementation) != ("derivative", "default")

    def _variant(self, policy: str, implementation: str) -> "ActivationFunction[P]":
        """Return the copy with a residual policy and an implementation."""
        if (policy, implementation) == (self._policy, self._implementation):
            return self
        if self._is_variant and self._origin is not None:
            return self._origin[1][0]._variant(policy, implementation)
        key = (policy, implementation)
        if key not in self._copies:
            copy = self._detach()
            copy._policy, copy._implementation = key
            copy._origin = ActivationFunction.with_residuals, (self, policy)
            if implementation != "default":
                with_policy = self._variant(policy, "default")
                made_by = ActivationFunction.with_implementation
                copy._origin = made_by, (with_policy, implementation)
            self._copies[key] = copy
        return self._copies[key]

    def __repr__(self) -> str:
        if self._origin is None:
            return super().__repr__()
        make, (function, argument) = self._origin
        return f"{function!r}.{make.__name__}({argument!r})"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self._origin or super().__reduce__()

    def _state(self) -> dict[str, Any]:
        rules = {n: p._rule for n, p in self._partials.items() if not p._is_autodiff}
        output = (self._output_rule, self._output_is_exact)
        arguments = (self._rule, self.spec)
        state = {"arguments": arguments, "rules": rules, "output": output}
        return state | {"xla": self._xla_rule}

    @classmethod
    def _from_state(cls, state: dict[str, Any]) -> "ActivationFunction[...]":
        f = cls(*state["arguments"])
        for name, rule in state["rules"].items():
            f.defpartial(name)(rule)
        f._output_rule, f._output_is_exact = state["output"]
        f._xla_rule = state["xla"]
        return f

    @functools.cached_property
    def _rules(self) -> "ActivationFunction[P]":
        """The function without its compiled calls, for the closures of programs.

        `jit` caches programs weakly by function: a program that refers to the function
        whose call it is would keep both alive.
        """
        rules = self._detach()
        rules._rules = rules
        return rules

    def _detach(self) -> "ActivationFunction[P]":
        """Return a copy with the same rules and without calls, copies and origin."""
        copy = object.__new__(type(self))
        shared = {n: v for n, v in self.__dict__.items() if n not in _OWNED}
        copy.__dict__.update(shared, _compiled={}, _copies={}, _origin=None)
        return copy

    def _partial_rules(self, name: str) -> "ActivationFunction[P]":
        """Return the rules of a derivative."""
        if name not in self._partials:
            self.defpartial(name)(_autodiff(self._rule, name))
            self._partials[name]._is_autodiff = True
        rules = self._partials[name]
        is_portable = self._implementation == "portable"
        return rules.with_implementation("portable") if is_portable else rules

    def _trace(self, arguments: dict[str, Any], constants: frozenset[str]) -> Array:
        operands, static = self._operands(arguments)
        return self._rules._differentiable(operands, static, constants, is_bfloat16())

    def _operands(
        self, arguments: dict[str, Any]
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the arrays, floating and broadcast, and the static values."""
        static = {n: v for n, v in arguments.items() if n in self.static}
        arrays = {
            n: as_real(self.__name__, n, v)
            for n, v in arguments.items()
            if n not in static
        }
        try:
            shape = jnp.broadcast_shapes(*(a.shape for a in arrays.values()))
        except ValueError:
            shapes = ", ".join(f"{n} {a.shape}" for n, a in arrays.items())
            raise ValueError(
                f"{self.__name__}: expected shapes that broadcast, got {shapes}"
            ) from None
        x = self.parameters[0]
        full = {n: a for n, a in arrays.items() if n == x or a.ndim}
        return arrays | broadcast(full, shape), static

    @functools.cached_property
    def _value(self) -> Callable[..., Array]:
        """The value rule under `jit`, so that each signature is traced once.

        Transformations evaluate the rule several times, with and without its
        derivative; each evaluation then is one cached equation.
        """

        def value(
            arrays: dict[str, Array], static: tuple[Any, ...], is_rounded: bool
        ) -> Array:
            x = arrays[self.parameters[0]]
            with rounded_to_bfloat16(is_rounded or x.dtype == jnp.bfloat16):
                return self._evaluate(arrays, dict(static))

        value.__name__ = self.__name__
        return jax.jit(value, static_argnums=(1, 2))

    def _evaluate(
        self, arrays: Mapping[str, Array], static: Mapping[str, Any]
    ) -> Array:
        """Compute the value rule in float32 or wider; round once to the dtype of x."""
        dtype = arrays[self.parameters[0]].dtype
        xla = self._xla_rule if self._implementation == "xla" else None
        narrow = dtype.itemsize == 2 and (self.spec.exact or xla is not None)
        wide = dtype if narrow else compute_dtype(dtype)
        cast = {n: a.astype(wide) for n, a in arrays.items()}
        operands = {**cast, **static}
        for name in self.spec.limits.keys() & operands.keys():
            points = self.spec.limits[name]
            operands[name] = replace_limits(operands[name], points, wide)
        is_portable = self._implementation == "portable"
        with building_blocks("portable" if is_portable else "accurate"):
            return (xla or self._rule)(**operands).astype(dtype)

    def _differentiable(
        self,
        arrays: Mapping[str, Array],
        static: Mapping[str, Any],
        constants: frozenset[str],
        is_rounded: bool,
    ) -> Array:
        """Compute f with the partials as its custom JVP rules.

        The backward pass saves one array for each argument that is differentiated.
        `is_rounded` states that a rule calls f whose result is rounded to bfloat16.
        """
        names = tuple(arrays)  # closures must not capture the tracers of this trace
        fixed = tuple(static.items())

        def value(*operands: Array) -> Array:
            # The jit cache is keyed by the mesh, which is None at first and an empty
            # mesh later; setting it explicitly makes both the same key.
            with jax.sharding.use_abstract_mesh(jax.sharding.get_abstract_mesh()):
                arrays = dict(zip(names, operands, strict=True))
                return self._value(arrays, fixed, is_rounded)

        def jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
            y = self._keep(f)(*primals)
            operands = dict(zip(names, primals, strict=True))
            others = static, constants, is_rounded
            terms = [
                self._jvp_term(name, operands, others, y, tangent)
                for name, tangent in zip(names, tangents, strict=True)
                if name not in constants and type(tangent) is not SymbolicZero
            ]
            return y, functools.reduce(jnp.add, terms)

        value.__name__ = self.__name__
        f = jax.custom_jvp(value)
        # The tangent of one array is not zero where the rule is called. Pallas for TPU
        # has no rule for symbolic zeros.
        f.defjvp(jvp, symbolic_zeros=len({*names} - constants) > 1)
        return f(*arrays.values())

    def _keep(self, f: Callable[..., Array]) -> Callable[..., Array]:
        """Return `keep_rule(f)`; kernels of Pallas lack the equation that it makes."""
        return f if self._implementation == "portable" else keep_rule(f)

    def _jvp_term(
        self,
        name: str,
        operands: dict[str, Array],
        others: tuple[Mapping[str, Any], frozenset[str], bool],
        y: Array,
        tangent: Array,
    ) -> Array:
        """Compute df/d(name) * tangent with the residuals of the policy.

        `others` are the arguments of `_differentiable` after the operands.
        """
        x, policy = self.parameters[0], self._policy
        rules = self._partial_rules(name)
        derivative = self._keep(
            lambda operands: rules._differentiable(operands, *others)
        )
        if policy == "int8":
            return mul_from_int8(self.__name__, derivative(operands), tangent)
        rule = self._output_rule if name == x else None
        from_output = policy == "output" or (
            policy == "derivative" and self._output_is_exact
        )
        if from_output and rule is not None:
            parameters = {n: a for n, a in operands.items() if n != x}
            return mul_from_output(
                rule, y, parameters, others[0], tangent, exact=self._output_is_exact
            )
        return mul_from_input(
            derivative,
            operands,
            tangent,
            remat=policy != "derivative",
            in_kernel=self._implementation == "portable",
        )


@overload
def activation(rule: Callable[P, Array], /) -> ActivationFunction[P]: ...
@overload
def activation(
    *,
    cite: str = ...,
    range: tuple[float, float] = ...,
    domain: tuple[float, float] = ...,
    kinks: Mapping[float, float] = ...,
    bounds: Mapping[str, tuple[float, float]] = ...,
    limits: Mapping[str, tuple[float, ...]] = ...,
    exact: bool = ...,
    reference: Callable[..., Any] | None = ...,
    surrogate: Callable[..., Any] | None = ...,
) -> Callable[[Callable[P, Array]], ActivationFunction[P]]: ...
def activation(rule: Any = None, /, **spec: Any) -> Any:
    """Decorate a value rule to make it an `ActivationFunction`.

    The keyword arguments are the fields of `ActivationSpec`, all optional. Without a
    derivative rule the derivative is that of autodiff.

    >>> @activation
    ... def cube(x):
    ...     return x**3
    >>> @cube.defderivative
    ... def cube_dx(x):
    ...     return 3 * x**2
    >>> jax.grad(cube)(2.0)
    Array(12., dtype=float32, weak_type=True)
    """
    if rule is not None:
        return ActivationFunction(rule, ActivationSpec())
    return lambda rule: ActivationFunction(rule, ActivationSpec(**spec))


def _without_custom_jvp(value: Any) -> Any:
    """Return the value rule of an inner function; map tuples, keep other values."""
    if isinstance(value, tuple):
        return tuple(map(_without_custom_jvp, value))
    return getattr(value, "without_custom_jvp", value)


def _autodiff(rule: Rule, name: str) -> Rule:
    """Return the derivative of a rule in one argument, by forward-mode autodiff.

    It is NaN where x is NaN, whereas autodiff of a `where` drops the NaN of its
    condition.
    """
    parameters = inspect.signature(rule).parameters
    x_name = next(iter(parameters))

    @functools.wraps(rule)
    def derivative(**arguments: Any) -> Array:
        x = arguments[x_name]
        primal = jnp.asarray(arguments.pop(name, parameters[name].default), x.dtype)
        f = lambda a: rule(**{name: a}, **arguments)
        dy = jax.jvp(f, [primal], [jnp.ones_like(primal)])[1]
        return jnp.where(jnp.isnan(x), x, dy)

    return derivative
