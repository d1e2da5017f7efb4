import pathlib
import re
import unittest

from units import __version__

EXPECTED = "0.2.0.dev0"
CHANGELOG = pathlib.Path(__file__).parent.parent / "CHANGELOG.md"


class Version(unittest.TestCase):
    def test_is_the_expected_one(self):
        self.assertEqual(__version__, EXPECTED)

    def test_a_release_heads_the_changelog(self):
        newest = re.search(r"^## (\S+)", CHANGELOG.read_text(), re.MULTILINE).group(1)
        if __version__.endswith(".dev0"):
            self.assertEqual(newest, "Unreleased")
        else:
            self.assertEqual(newest, __version__)
