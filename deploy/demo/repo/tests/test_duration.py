import unittest

from units import format_duration


class FormatDuration(unittest.TestCase):
    def test_leaves_out_what_is_zero(self):
        for seconds, text in [(0, "0s"), (59, "59s"), (60, "1m"), (3605, "1h 5s"), (5400, "1h 30m"),
                              (90061, "1d 1h 1m 1s")]:
            with self.subTest(seconds=seconds):
                self.assertEqual(format_duration(seconds), text)

    def test_refuses_what_is_negative(self):
        with self.assertRaises(ValueError):
            format_duration(-1)
