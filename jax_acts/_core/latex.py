"""The formula of a function, from its docstring, for titles and for terminals."""

import inspect
import re

from jax_acts._core.function import Function

_SYMBOLS = {
    **{
        "alpha": "α",
        "beta": "β",
        "gamma": "γ",
        "epsilon": "ε",
        "theta": "θ",
        "pi": "π",
    },
    **{"lambda": "λ", "mu": "μ", "sigma": "σ", "tau": "τ", "omega": "ω", "Phi": "Φ"},
    **{"le": "≤", "ge": "≥", "approx": "≈", "infty": "∞", "pm": "±", "to": "→"},
    **{"int": "∫", "sum": "∑", "cdot": "·", "in": "∈", "odot": "⊙", "ne": "≠"},
    **{
        "lfloor": "⌊",
        "rfloor": "⌋",
        "quad": " ",
        "left": "",
        "right": "",
        "!": "",
        ",": " ",
        ";": " ",
        " ": " ",
    },
    **{"{": "{", "}": "}", "|": "‖"},
}
_RAISED = dict(zip("0123456789+-()aeijkmnx", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵃᵉⁱʲᵏᵐⁿˣ", strict=True))
_LOWERED = dict(zip("0123456789+-()aeijkmnx", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₐₑᵢⱼₖₘₙₓ", strict=True))
_MARK = re.compile(r"([,;:.])\s(?=(?:[^$]*\$[^$]*\$)*[^$]*$)")  # outside of formulas
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.S)


def formula(function: Function[...]) -> str:
    """Returns the formula, as the first sentence of the docstring has it, in LaTeX.

    >>> from jax_acts import leaky_relu, silu
    >>> formula(leaky_relu)
    '$x$ if $x \\\\ge 0$, else $\\\\alpha x$'
    >>> formula(silu)
    '$x\\\\,\\\\sigma(\\\\beta x)$'
    """
    paragraph = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    name, dollar, rest = paragraph.partition("$")
    if not dollar:
        return ""
    start = max(name.rfind(", "), name.rfind(": "))
    lead = name[start + 2 :] if start >= 0 else ""
    marks = re.split(_MARK, lead + dollar + rest)
    text = marks[0]
    for mark, clause in zip(marks[1::2], marks[2::2], strict=False):
        if mark != "," or not ("$" in clause or clause.startswith("else")):
            break
        text += f"{mark} {clause}"
    return text.rstrip(".")


def to_unicode(latex: str) -> str:
    r"""Returns LaTeX as plain text.

    >>> readable(r"$\frac{1}{2} (x + \sqrt{x^2 + b})$ if $x \ge 0$, else $e^{-x}$")
    '1/2 (x + √(x² + b)) if x ≥ 0, else e⁻ˣ'
    """
    parts = latex.split("$")
    parts[1::2] = [_plain(part) for part in parts[1::2]]
    return re.sub(r"\s+", " ", "".join(parts).replace("`", "")).strip()


def _plain(mathematics: str) -> str:
    tokens = _TOKEN.findall(mathematics)[::-1]  # taken from the end, as from a stack
    text = ""
    while tokens:
        text += _next(tokens)
    return text


def _next(tokens: list[str]) -> str:
    """Takes one expression from the tokens, and returns it as plain text."""
    match token := tokens.pop():
        case "{":
            text = ""
            while tokens and tokens[-1] != "}":
                text += _next(tokens)
            if tokens:
                tokens.pop()
            return text
        case "^":
            return _shifted(_argument(tokens), "^", _RAISED)
        case "_":
            return _shifted(_argument(tokens), "_", _LOWERED)
        case r"\frac" | r"\tfrac":
            return f"{_grouped(_argument(tokens))}/{_grouped(_argument(tokens))}"
        case r"\sqrt":
            return f"√{_grouped(_argument(tokens))}"
        case r"\operatorname" | r"\mathrm" | r"\text":
            return _argument(tokens)
        case _ if token[0] == "\\":
            return _SYMBOLS.get(token[1:], token[1:])
        case "-":
            return "−"
        case _:
            return token


def _argument(tokens: list[str]) -> str:
    """Takes what a command applies to."""
    while tokens and tokens[-1].isspace():
        tokens.pop()
    return _next(tokens) if tokens else ""


def _grouped(text: str) -> str:
    return text if text.isalnum() else f"({text})"


def _shifted(text: str, mark: str, shifted: dict[str, str]) -> str:
    small = [shifted.get(character.replace("−", "-")) for character in text]
    if all(small):
        return "".join(character for character in small if character)
    return mark + _grouped(text)
