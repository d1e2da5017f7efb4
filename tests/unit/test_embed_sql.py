"""tools/embed_sql.py: what is sent, how many parameters are counted, and what is refused."""
import importlib.util
import pathlib

import pytest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "embed_sql.py"
spec = importlib.util.spec_from_file_location("embed_sql", TOOL)
embed_sql = importlib.util.module_from_spec(spec)
spec.loader.exec_module(embed_sql)

HEAD = "-- Purpose: test.\n"

SENT = [
    ("select 1;\n", "select 1", 0),
    ("select $1, $2 -- and $3\n", "select $1, $2", 2),
    ("select $1 /* $2 /* nested $3 */ $4 */ , $2", "select $1 , $2", 2),
    ("select '$2 -- no comment', $1", "select '$2 -- no comment', $1", 1),
    (r"select E'it\'s $9', $1", r"select E'it\'s $9', $1", 1),
    ("select 'it''s $9'", "select 'it''s $9'", 0),
    ('select "odd $2 -- name" from t where a = $1', 'select "odd $2 -- name" from t where a = $1', 1),
    ("select $$ $7 ; -- $$, $1", "select $$ $7 ; -- $$, $1", 1),
    ("select $a$ $7 $$ $a$, $1", "select $a$ $7 $$ $a$, $1", 1),
    ("select a$2 from t", "select a$2 from t", 0),
    ("select $1,\n\n   $2   ,\n  $10, $3,$4,$5,$6,$7,$8,$9", "select $1,\n$2 ,\n$10, $3,$4,$5,$6,$7,$8,$9", 10),
    ("select 'a'   \n   'b'", "select 'a'\n'b'", 0),
    ("select 'two\n  lines'", "select 'two\n  lines'", 0),
    ("select $1::text\n-- end\n;", "select $1::text", 1),
]


@pytest.mark.parametrize("text, sent, n_params", SENT)
def test_sent_text(text, sent, n_params):
    assert embed_sql.parse_query(HEAD + text) == (sent, n_params)


REFUSED = [
    ("select 1", "open with a comment"),
    ("--\nselect 1", "open with a comment"),
    ("", "open with a comment"),
    (HEAD, "no statement"),
    (HEAD + ";", "no statement"),
    (HEAD + "select 1; select 2", "more than one"),
    (HEAD + "select $1, $3", r"\$2 is not"),
    (HEAD + "select $0", r"\$0 is not"),
    (HEAD + "select 'open", "not closed"),
    (HEAD + "select $$ open", "not closed"),
    (HEAD + "select /* /* */ 1", "not closed"),
]


@pytest.mark.parametrize("text, reason", REFUSED)
def test_refused(text, reason):
    with pytest.raises(embed_sql.SqlError, match=reason):
        embed_sql.parse_query(text)


def test_folders_may_be_missing(tmp_path):
    header, source, files = embed_sql.generate_queries(tmp_path)
    assert files == [] and "queries_all" in "".join(header + source)
    header, source, files = embed_sql.generate_migrations(tmp_path)
    assert files == [] and "sql_migrations_count = 0" in "".join(source)
    assert "#define SQL_SCHEMA_VERSION 0\n" in "".join(header)


def test_two_migrations_of_one_number(tmp_path):
    (tmp_path / "migrations").mkdir()
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / "migrations" / name).write_text("select 1;")
    with pytest.raises(embed_sql.SqlError, match="0001"):
        embed_sql.generate_migrations(tmp_path)


def test_migration_order_and_digest(tmp_path):
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0002_b.sql").write_text("")
    (tmp_path / "migrations" / "0001_a.sql").write_text("select '?\"\\\u00e9';\n")
    header, source = map("".join, embed_sql.generate_migrations(tmp_path)[:2])
    assert "#define SQL_SCHEMA_VERSION 2\n" in header
    assert source.index("0001_a.sql") < source.index("0002_b.sql")
    assert r'''"select '\?\"\\\303\251';\n"''' in source
    assert "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" in source  # of no bytes


def test_bad_name(tmp_path):
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "Bad-Name.sql").write_text(HEAD + "select 1")
    with pytest.raises(embed_sql.SqlError, match="Bad-Name"):
        embed_sql.generate_queries(tmp_path)
