"""Sizes and durations as people write them."""

from units.duration import format_duration
from units.size import format_size
from units.version import __version__

__all__ = [
    "__version__",
    "format_duration",
    "format_size",
]
