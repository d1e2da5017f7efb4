import unittest

from units import transferred


class Transferred(unittest.TestCase):
    def test_multiplies(self):
        self.assertEqual(transferred("10 MiB", "1m 30s"), "900 MiB")
        self.assertEqual(transferred("1 KiB", "0s"), "0 B")

    def test_refuses_what_the_readers_refuse(self):
        for rate, duration in [("fast", "1s"), ("1 B", "long")]:
            with self.subTest(rate=rate), self.assertRaises(ValueError):
                transferred(rate, duration)
