"""What tests of processes stand on: a real PostgreSQL, a real suite, real agents as scripts. Fixtures: ../conftest.py."""
