"""The colours and the font of reports, on the page and in pictures."""

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'

COLORS = 10
"""How many series colours there are; after them they begin again, with dashes."""

LIGHT = {
    "page": "#f6f5f2",
    "surface": "#ffffff",
    "ink": "#52514e",
    "strong": "#14130f",
    "grid": "#e4e2dc",
    "accent": "#2a67c4",
    "mark": "#eef3fb",
    "series-0": "#2a67c4",
    "series-1": "#12906a",
    "series-2": "#d9480f",
    "series-3": "#7a4fd0",
    "series-4": "#c2255c",
    "series-5": "#1098ad",
    "series-6": "#b58100",
    "series-7": "#6b7280",
    "series-8": "#5c940d",
    "series-9": "#9c5a3c",
}
"""By the names of the variables of the page."""

DARK = {
    "page": "#131312",
    "surface": "#1c1c1a",
    "ink": "#b8b6ae",
    "strong": "#f4f3ee",
    "grid": "#34332f",
    "accent": "#7fb0ff",
    "mark": "#22293a",
    "series-0": "#6fa5f7",
    "series-1": "#34c495",
    "series-2": "#ff8552",
    "series-3": "#ad8cf5",
    "series-4": "#f26a9b",
    "series-5": "#3fc5da",
    "series-6": "#e0af2c",
    "series-7": "#9aa1ac",
    "series-8": "#94cc46",
    "series-9": "#d29a7b",
}


def variables(colors: dict[str, str]) -> str:
    """Returns colours as CSS has them.

    >>> variables({"ink": "#52514e", "grid": "#e4e2dc"})
    '--ink: #52514e; --grid: #e4e2dc;'
    """
    return " ".join(f"--{name}: {color};" for name, color in colors.items())
