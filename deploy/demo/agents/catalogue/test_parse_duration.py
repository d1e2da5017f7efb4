import unittest

from units import format_duration, parse_duration


class ParseDuration(unittest.TestCase):
    def test_reads_what_format_duration_writes(self):
        for seconds in [0, 1, 59, 60, 3605, 5400, 90061, 10**9]:
            with self.subTest(seconds=seconds):
                self.assertEqual(parse_duration(format_duration(seconds)), seconds)

    def test_refuses_anything_else(self):
        for text in ["", "1", "h", "1x", "-1s", "1.5h", "1h  5s", "1m 1h", "1h 1h", " 1h", "\u0661s"]:
            with self.subTest(text=text), self.assertRaises(ValueError):
                parse_duration(text)
