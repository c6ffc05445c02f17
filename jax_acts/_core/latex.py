"""The formula of a function: LaTeX from its docstring, and Unicode from LaTeX."""

import inspect
import re

from jax_acts._core.function import Function

_TABLE = """
    alpha=α beta=β gamma=γ epsilon=ε theta=θ lambda=λ mu=μ pi=π sigma=σ tau=τ omega=ω
    Phi=Φ le=≤ ge=≥ ne=≠ approx=≈ infty=∞ pm=± to=→ int=∫ sum=∑ cdot=· in=∈ odot=⊙
    lfloor=⌊ rfloor=⌋ left= right= != {={ }=} |=‖
"""
_SYMBOLS = dict(re.findall(r"(\S+)=(\S*)", _TABLE)) | dict.fromkeys(
    ("quad", ",", ";", " "), " "
)
_SUPERSCRIPT = str.maketrans("0123456789+−()aeijkmnx", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵃᵉⁱʲᵏᵐⁿˣ")
_SUBSCRIPT = str.maketrans("0123456789+−()aeijkmnx", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₐₑᵢⱼₖₘₙₓ")
_MARK = re.compile(r"([,;:.])\s(?=(?:[^$]*\$[^$]*\$)*[^$]*$)")  # outside of formulas
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.S)


def formula(function: Function[...]) -> str:
    """Return the formula in the first sentence of the docstring, in LaTeX.

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
    clauses = re.split(_MARK, lead + dollar + rest)
    text = clauses[0]
    for mark, clause in zip(clauses[1::2], clauses[2::2], strict=False):
        if mark != "," or not ("$" in clause or clause.startswith("else")):
            break
        text += f"{mark} {clause}"
    return text.rstrip(".")


def to_unicode(latex: str) -> str:
    r"""Convert text with formulas in LaTeX to Unicode.

    >>> to_unicode(r"$\frac{1}{2} (x + \sqrt{x^2 + b})$ if $x \ge 0$, else $e^{-x}$")
    '1/2 (x + √(x² + b)) if x ≥ 0, else e⁻ˣ'
    """
    segments = latex.split("$")
    # The tokens are a stack: the next one is the last element.
    stacks = [_TOKEN.findall(f"{{{formula}}}")[::-1] for formula in segments[1::2]]
    segments[1::2] = map(_parse_expression, stacks)
    return re.sub(r"\s+", " ", "".join(segments).replace("`", "")).strip()


def _parse_expression(tokens: list[str]) -> str:
    """Pop one expression from the tokens and return it in Unicode."""
    match token := tokens.pop():
        case "{":
            text = ""
            while tokens and tokens[-1] != "}":
                text += _parse_expression(tokens)
            if tokens:
                tokens.pop()
            return text
        case "^":
            return _shift(_parse_operand(tokens), "^", _SUPERSCRIPT)
        case "_":
            return _shift(_parse_operand(tokens), "_", _SUBSCRIPT)
        case r"\frac" | r"\tfrac":
            numerator = _parenthesize(_parse_operand(tokens))
            return f"{numerator}/{_parenthesize(_parse_operand(tokens))}"
        case r"\sqrt":
            return f"√{_parenthesize(_parse_operand(tokens))}"
        case r"\operatorname" | r"\mathrm" | r"\text":
            return _parse_operand(tokens)
        case _ if token[0] == "\\":
            return _SYMBOLS.get(token[1:], token[1:])
        case "-":
            return "−"
        case _:
            return token


def _parse_operand(tokens: list[str]) -> str:
    """Pop the operand of a command."""
    while tokens and tokens[-1].isspace():
        tokens.pop()
    return _parse_expression(tokens) if tokens else ""


def _parenthesize(text: str) -> str:
    return text if text.isalnum() else f"({text})"


def _shift(text: str, mark: str, table: dict[int, int]) -> str:
    """Return text as a super- or subscript; after its mark if Unicode has none."""
    if all(ord(character) in table for character in text):
        return text.translate(table)
    return mark + _parenthesize(text)
