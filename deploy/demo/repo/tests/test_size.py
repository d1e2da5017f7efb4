import unittest

from units import format_size


class FormatSize(unittest.TestCase):
    def test_picks_the_prefix(self):
        for size, text in [(0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"),
                           (1572864, "1.5 MiB"), (2**30, "1 GiB"), (2**70, "1024 EiB")]:
            with self.subTest(size=size):
                self.assertEqual(format_size(size), text)

    def test_never_shows_1024_of_a_unit_that_has_a_next(self):
        self.assertEqual(format_size(2**20 - 1), "1 MiB")

    def test_refuses_what_is_negative(self):
        with self.assertRaises(ValueError):
            format_size(-1)
