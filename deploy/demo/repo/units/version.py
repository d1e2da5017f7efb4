"""The one place that knows the version. Between two releases it ends in .dev0."""

__version__ = "0.2.0.dev0"
