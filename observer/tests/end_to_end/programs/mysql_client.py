"""Queries MariaDB with PyMySQL.

usage: mysql_client.py PORT CONNECTIONS QUERIES_PER_CONNECTION [tls]
"""

import ssl
import sys

import pymysql

port, connections, queries = map(int, sys.argv[1:4])
tls = None
if "tls" in sys.argv:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE

for _ in range(connections):
    connection = pymysql.connect(host="127.0.0.1", port=port, user="app", password="secret", ssl=tls)
    with connection.cursor() as cursor:
        for n in range(queries):
            cursor.execute("SELECT %s", n)
            assert cursor.fetchone() == (n,)
    connection.close()
