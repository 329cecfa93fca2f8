"""Sends mails with smtplib, each on a connection of its own.

usage: smtp_client.py PORT MAILS
"""

import smtplib
import sys

port, mails = map(int, sys.argv[1:])

for n in range(mails):
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.sendmail("a@example.org", "b@example.org", f"Subject: {n}\r\n\r\nHello")
