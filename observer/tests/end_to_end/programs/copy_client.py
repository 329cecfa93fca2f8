"""Loads rows into PostgreSQL through COPY with psycopg2, counts them, and copies them out again.

This takes LOADS + COPIES_OUT + 2 statements.

usage: copy_client.py PORT LOADS COPIES_OUT
"""

import io
import sys

import psycopg2

ROWS = 20000

port, loads, takes = map(int, sys.argv[1:])
connection = psycopg2.connect(
    host="127.0.0.1", port=port, user="nobody", dbname="postgres", sslmode="disable", gssencmode="disable"
)
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("CREATE TABLE numbers (n int)")
for _ in range(loads):
    cursor.copy_expert("COPY numbers FROM STDIN", io.StringIO("".join(f"{n}\n" for n in range(ROWS))))
cursor.execute("SELECT count(*) FROM numbers")
assert cursor.fetchone() == (loads * ROWS,)
for _ in range(takes):
    rows = io.StringIO()
    cursor.copy_expert("COPY numbers TO STDOUT", rows)
    assert rows.getvalue().count("\n") == loads * ROWS
connection.close()
