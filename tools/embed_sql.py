#!/usr/bin/python3
"""embed_sql.py - puts the SQL files into the programs, at build time.

    embed_sql.py queries --sql DIR --header OUT.h --source OUT.c --depfile OUT.d
    embed_sql.py migrations --sql DIR --header OUT.h --source OUT.c --depfile OUT.d

queries: each DIR/queries/NAME.sql becomes  const struct db_statement Q_NAME  (common/db.h). A file is one statement
under a comment that says purpose, parameters, columns and callers; without the comment the build fails. What is sent
to the server has no comments; n_params is the highest $N, and every number up to it must be used.

migrations: DIR/migrations/NNNN_*.sql and DIR/code/*.sql become the arrays sql_migrations[] and sql_code[], byte for
byte, in the order of their names, each with the SHA-256 of the file. The number of the last one is SQL_SCHEMA_VERSION.
DIR/gates/*.sql, one file per gate, stand right before DIR/code/40_gates.sql, which puts them together.

Outputs are written only when they differ. The dependency file names the folders besides the files, because a folder
changes when a file comes or goes.
"""
import argparse
import hashlib
import pathlib
import re
import sys

QUERY_NAME = re.compile(r"[a-z][a-z0-9_]*\.sql")
MIGRATION_NAME = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql")
CODE_NAME = re.compile(r"[a-z0-9_]+\.sql")

# PostgreSQL's lexical structure, as far as it decides where comments and parameters are.
TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* )
  | (?P<block>   /\* )
  | (?P<string>  [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
               | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$ )
  | (?P<param>   \$[0-9]+ )
  | (?P<word>    [A-Za-z_][\w$]* )
  | (?P<space>   \s+ )
  | (?P<other>   . )
    """,
    re.VERBOSE | re.DOTALL,
)
BLOCK_EDGE = re.compile(r"/\*|\*/")


class SqlError(Exception):
    """A file that cannot be embedded; the message says which and why."""


def block_end(text, start):
    """Where the block comment that opens at `start` ends; they nest."""
    depth = 0
    for edge in BLOCK_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise SqlError("a comment is not closed")


def tokens(text):
    """Yields (kind, text); a comment of either form has kind "comment"."""
    pos = 0
    while pos < len(text):
        match = TOKEN.match(text, pos)
        kind, end = match.lastgroup, match.end()
        if match.group("string") is not None:
            kind = "string"
        elif kind == "block":
            kind, end = "comment", block_end(text, pos)
        elif kind == "other" and match.group() in "'\"$":
            raise SqlError(f"a quote is not closed: {text[pos:pos + 20]!r}")
        yield kind, text[pos:end]
        pos = end


def parse_query(text):
    """The statement without its comments, and its number of parameters."""
    sent, params = "", set()
    parts = list(tokens(text))
    if not parts or parts[0][0] != "comment" or not re.search(r"\w", parts[0][1]):
        raise SqlError("it must open with a comment: purpose, parameters, columns, callers")
    for kind, part in parts:
        if kind == "comment":
            part = " "
        elif kind == "param":
            params.add(int(part[1:]))
        # Blanks become one blank or one newline: a newline joins two string literals, a blank does not.
        if part.isspace():
            last = sent[-1:]
            part = "\n" if "\n" in part else " "
            if last == " ":
                sent = sent[:-1]
            elif last == "\n":
                part = ""
        sent += part
    return one_statement(sent.strip()), count_params(params)


def one_statement(sent):
    """Without its closing semicolon. The extended protocol takes one statement at a time."""
    if sent.endswith(";"):
        sent = sent[:-1].rstrip()
    if not sent:
        raise SqlError("it holds no statement")
    if any(part == ";" for _, part in tokens(sent)):
        raise SqlError("it holds more than one statement")
    return sent


def count_params(params):
    n = max(params, default=0)
    missing = sorted(set(range(1, n + 1)) - params)
    if missing or 0 in params:
        raise SqlError(f"parameters up to ${n} must all be used; ${missing[0] if missing else 0} is not one of them")
    return n


def c_string(text, indent):
    """`text` as C string literals, one per line of it."""
    lines = text.splitlines(keepends=True) or [""]
    return "\n".join(f'{indent}"{c_escape(line)}"' for line in lines)


def c_escape(line):
    known = {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\", "?": "\\?"}
    out = []
    for byte in line.encode():
        char = chr(byte)
        out.append(known.get(char) or (char if 32 <= byte < 127 else f"\\{byte:03o}"))
    return "".join(out)


def sql_files(folder, pattern):
    """The .sql files of a folder (which may not exist), by name; a name outside the pattern is an error."""
    files = sorted(folder.glob("*.sql"))
    for path in files:
        if not pattern.fullmatch(path.name):
            raise SqlError(f"{path}: the name must match {pattern.pattern}")
    return files


def read_text(path):
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise SqlError(f"{path}: not UTF-8: {error}") from error
    if "\0" in text:
        raise SqlError(f"{path}: holds a NUL byte")
    return text


def code_order(path):
    """The files of gates/ come right before 40_gates.sql."""
    return f"40_gate/{path.name}" if path.parent.name == "gates" else path.name


def generate_queries(sql):
    files = sql_files(sql / "queries", QUERY_NAME)
    header = ['#pragma once\n\n#include "common/db.h"\n\n']
    source = ['#include "queries.h"\n']
    for path in files:
        try:
            text, n_params = parse_query(read_text(path))
        except SqlError as error:
            raise SqlError(f"{path}: {error}") from error
        symbol = "Q_" + path.stem.upper()
        header.append(f"extern const struct db_statement {symbol};\n")
        source.append(
            f"\nconst struct db_statement {symbol} = {{\n        .name = \"{path.stem}\",\n"
            f"        .n_params = {n_params},\n        .sql =\n{c_string(text, ' ' * 16)},\n}};\n"
        )
    header.append("\n/* Every one of them, ended by NULL: a test prepares them all against the migrated schema. */\n")
    header.append("extern const struct db_statement *const queries_all[];\n")
    rows = "".join(f"        &Q_{path.stem.upper()},\n" for path in files)
    source.append(f"\nconst struct db_statement *const queries_all[] = {{\n{rows}        NULL,\n}};\n")
    return header, source, files


def generate_migrations(sql):
    migrations = sql_files(sql / "migrations", MIGRATION_NAME)
    numbers = [path.name[:4] for path in migrations]
    for number in numbers:
        if numbers.count(number) > 1:
            raise SqlError(f"{sql / 'migrations'}: two migrations have the number {number}")
    code = sorted(sql_files(sql / "code", CODE_NAME) + sql_files(sql / "gates", CODE_NAME), key=code_order)
    header = [
        "#pragma once\n\n#include <stddef.h>\n\n"
        "struct sql_file {\n        const char *name; /* without its folder */\n        const char *sql;\n"
        "        const char *sha256; /* of the file, in hexadecimal */\n};\n\n"
        "/* The last migration: the schema that these programs need, or a later one. */\n"
        f"#define SQL_SCHEMA_VERSION {max(map(int, numbers), default=0)}\n"
    ]
    source = ['#include "migrations.h"\n']
    for array, files in (("sql_migrations", migrations), ("sql_code", code)):
        header.append(f"\nextern const struct sql_file {array}[];\nextern const size_t {array}_count;\n")
        source.append(f"\nconst struct sql_file {array}[] = {{\n{''.join(map(sql_file_row, files))}")
        source.append(f"        {{.name = NULL}},\n}};\nconst size_t {array}_count = {len(files)};\n")
    return header, source, migrations + code


def sql_file_row(path):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    text = c_string(read_text(path), " " * 17)
    return f'        {{.name = "{path.name}",\n         .sha256 = "{digest}",\n         .sql =\n{text}}},\n'


GENERATORS = {
    "queries": (generate_queries, ["queries"]),
    "migrations": (generate_migrations, ["migrations", "code", "gates"]),
}


def write_if_changed(path, parts):
    text = "/* Generated by tools/embed_sql.py from the files under sql/. */\n" + "".join(parts)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def write_depfile(args, folders, files):
    depends = [args.sql] + [args.sql / name for name in folders if (args.sql / name).is_dir()] + files
    names = " ".join(str(path).replace(" ", "\\ ") for path in depends)
    args.depfile.write_text(f"{args.header} {args.source}: {names}\n")


def main():
    parser = argparse.ArgumentParser(description="Puts the SQL files into C sources.")
    parser.add_argument("what", choices=sorted(GENERATORS))
    for option in ("sql", "header", "source", "depfile"):
        parser.add_argument("--" + option, type=pathlib.Path, required=True)
    args = parser.parse_args()
    generate, folders = GENERATORS[args.what]
    try:
        header, source, files = generate(args.sql)
    except SqlError as error:
        sys.exit(f"embed_sql: {error}")
    write_if_changed(args.header, header)
    write_if_changed(args.source, source)
    write_depfile(args, folders, files)


if __name__ == "__main__":
    main()
