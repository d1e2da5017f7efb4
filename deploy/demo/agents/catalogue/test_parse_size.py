import unittest

from units import format_size, parse_size


class ParseSize(unittest.TestCase):
    def test_reads_what_format_size_writes(self):
        for size in [0, 1, 1023, 1024, 1536, 1572864, 2**30, 5 * 2**60]:
            with self.subTest(size=size):
                self.assertEqual(parse_size(format_size(size)), size)

    def test_refuses_anything_else(self):
        for text in ["", "1", "MiB", "1MiB", "1 mib", "-1 B", "1. B", ".5 KiB", "1e3 B", "nan B", "1 KiB ", "\u0661 B"]:
            with self.subTest(text=text), self.assertRaises(ValueError):
                parse_size(text)
