def transferred(rate, duration):
    """How much a transfer of so much per second moves in a duration; all three are text.

    >>> transferred("10 MiB", "1m 30s")
    '900 MiB'
    """
    return format_size(parse_size(rate) * parse_duration(duration))
