def total_size(texts):
    """The sum of sizes written as text, written as text.

    >>> total_size(["512 KiB", "1 MiB"])
    '1.5 MiB'
    """
    return format_size(sum(parse_size(text) for text in texts))
