import unittest

from units import total_size


class TotalSize(unittest.TestCase):
    def test_adds(self):
        self.assertEqual(total_size(["512 KiB", "1 MiB"]), "1.5 MiB")
        self.assertEqual(total_size(["1023 B", "1 B"]), "1 KiB")

    def test_nothing_is_zero(self):
        self.assertEqual(total_size([]), "0 B")

    def test_one_that_is_no_size_spoils_all(self):
        with self.assertRaises(ValueError):
            total_size(["1 KiB", "much"])
