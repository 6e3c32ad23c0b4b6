package sql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/jmoiron/sqlx"
)

func (i *inspection) greetSQLite(ctx context.Context) error {
	var version, mode string
	if err := i.db.GetContext(ctx, &version, "SELECT sqlite_version()"); err != nil {
		return err
	}
	if err := i.db.GetContext(ctx, &mode, "PRAGMA journal_mode"); err != nil {
		return err
	}
	i.report.Database = "SQLite " + version + ", journal mode " + mode
	if mode != "wal" {
		i.notice("the journal mode is "+mode+": the orchestrator and the watchdog wait for each other",
			"have the orchestrator set PRAGMA journal_mode = WAL; the watchdog changes no mode")
	}
	const writable = 2
	if err := syscall.Access(i.path, writable); err != nil {
		i.fault("", fmt.Sprintf("the file may not be written by this user: %v", err), "give its user or group the right to")
	}
	return nil
}

// instruction is a step of the program that SQLite makes of a statement.
type instruction struct {
	Opcode string `db:"opcode"`
	P1     int64  `db:"p1"`
	P2     int64  `db:"p2"`
}

// scannedBySQLite reads the program, not the query plan: a plan shows aliases where a program has the pages at
// which tables and indexes begin.
func scannedBySQLite(ctx context.Context, tx *sqlx.Tx, query string, args []any) ([]string, error) {
	var program []instruction
	if err := tx.Unsafe().SelectContext(ctx, &program, "EXPLAIN "+query, args...); err != nil {
		return nil, err
	}
	root := map[int64]int64{} // by cursor
	var scanned []string
	for _, step := range program {
		switch step.Opcode {
		case "OpenRead":
			root[step.P1] = step.P2
		case "Rewind", "Last":
			table, err := largeFrom(ctx, tx, root[step.P1])
			if err != nil {
				return nil, err
			}
			if table != "" && !slices.Contains(scanned, table) {
				scanned = append(scanned, table)
			}
		}
	}
	return scanned, nil
}

// largeFrom is the table that begins at a page, or whose whole index does, if it is large; else empty. An index
// of some of the rows is made to be read from end to end.
func largeFrom(ctx context.Context, tx *sqlx.Tx, root int64) (string, error) {
	var tables []string
	err := tx.SelectContext(ctx, &tables, `SELECT tbl_name FROM sqlite_schema WHERE rootpage = ? AND rootpage > 1
		AND NOT (type = 'index' AND upper(coalesce(sql, '')) LIKE '% WHERE %')`, root)
	if err != nil || len(tables) == 0 {
		return "", err
	}
	var rows int
	quoted := `"` + strings.ReplaceAll(tables[0], `"`, `""`) + `"`
	err = tx.GetContext(ctx, &rows, "SELECT count(*) FROM (SELECT 1 FROM "+quoted+" LIMIT ?)", large+1)
	if err != nil || rows <= large {
		return "", err
	}
	return tables[0], nil
}

// indexColumnsSQLite are the columns, in order, of every index of a table.
func indexColumnsSQLite(ctx context.Context, db *sqlx.DB, table string) ([]string, error) {
	var lists []string
	err := db.SelectContext(ctx, &lists, `
		SELECT (SELECT group_concat(coalesce(c.name, ''), ', ') FROM pragma_index_info(i.name) c)
		FROM pragma_index_list(?) i`, table)
	return lists, err
}
