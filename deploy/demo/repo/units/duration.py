"""Durations in whole seconds."""

UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def format_duration(seconds):
    """The duration in days, hours, minutes and seconds, without those that are zero.

    >>> format_duration(3605)
    '1h 5s'
    """
    if seconds < 0:
        raise ValueError(f"a duration is not negative: {seconds}")
    parts = []
    for name, length in UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count}{name}")
    return " ".join(parts) or "0s"
