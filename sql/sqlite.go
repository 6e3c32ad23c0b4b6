package sql

import (
	"net/url"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	sqlitedriver "modernc.org/sqlite"

	stdsql "database/sql"
)

// openSQLite opens the file as another program's: it must exist, its journal mode stays, and a transaction takes
// the write lock when it begins, so that none fails half-way for having read first.
func openSQLite(src source) (*sqlx.DB, error) {
	file := url.URL{Path: src.path}
	query := url.Values{
		"mode":    {"rw"},
		"_txlock": {"immediate"},
		// Half of what the call has, as PostgreSQL has it for locks: the error says what was waited for.
		"_pragma": {"busy_timeout(" + strconv.FormatInt(src.timeout.Milliseconds()/2, 10) + ")"},
	}
	inner, err := sqlitedriver.NewConnector("file:" + file.EscapedPath() + "?" + query.Encode())
	if err != nil {
		return nil, src.fail("open database", err)
	}
	db := stdsql.OpenDB(fileConnector{Connector: inner, path: src.path})
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return sqlx.NewDb(db, "sqlite3"), nil // the name by which sqlx knows the placeholders
}
