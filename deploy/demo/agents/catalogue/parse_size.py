def parse_size(text):
    """The bytes in a size as format_size() writes it; ValueError for anything else.

    >>> parse_size("1.5 MiB")
    1572864
    """
    number, _, unit = text.partition(" ")
    prefixes = {f"{prefix}B": 1024**power for power, prefix in enumerate(PREFIXES)}
    parts = number.split(".")
    if unit not in prefixes or len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"not a size: {text!r}")
    return int(float(number) * prefixes[unit])
