def parse_duration(text):
    """The seconds in a duration as format_duration() writes it; ValueError for anything else.

    >>> parse_duration("1h 30m")
    5400
    """
    seconds, lengths = 0, dict(UNITS)
    seen = []
    for part in text.split(" "):
        count, unit = part[:-1], part[-1:]
        if unit not in lengths or not (count.isascii() and count.isdigit()):
            raise ValueError(f"not a duration: {text!r}")
        seen.append(lengths[unit])
        seconds += int(count) * lengths[unit]
    if seen != sorted(set(seen), reverse=True):
        raise ValueError(f"units twice or out of order: {text!r}")
    return seconds
