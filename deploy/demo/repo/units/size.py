"""Sizes in bytes, with the binary prefixes of IEC 80000-13."""

PREFIXES = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def format_size(size):
    """The size with the largest prefix that leaves a number of at least 1, and one decimal where it says more.

    >>> format_size(1536)
    '1.5 KiB'
    """
    if size < 0:
        raise ValueError(f"a size is not negative: {size}")
    number, last = float(size), len(PREFIXES) - 1
    for index, prefix in enumerate(PREFIXES):
        # 1023.96 would be shown as 1024.0: the next prefix says it better.
        if round(number, 1) < 1024 or index == last:
            text = f"{number:.1f}".removesuffix(".0")
            return f"{text} {prefix}B"
        number /= 1024
