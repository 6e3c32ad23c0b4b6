"""Executes the statements that come a line each, as JSON: [statement, values]. Answers with the rows that each gave."""

import json
import sqlite3
import sys

db = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
for line in sys.stdin:
    statement, values = json.loads(line)
    print(json.dumps(db.execute(statement, values).fetchall()), flush=True)
