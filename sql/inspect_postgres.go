package sql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

func isCode(err error, codes ...string) bool {
	refused, ok := errors.AsType[*pq.Error](err)
	return ok && slices.Contains(codes, string(refused.Code))
}

func (i *inspection) greetPostgres(ctx context.Context) error {
	var version string
	var number int
	var standby, compiles bool
	err := i.db.QueryRowContext(ctx, "SELECT current_setting('server_version'), "+
		"CAST(current_setting('server_version_num') AS integer), pg_is_in_recovery(), "+
		"CAST(current_setting('jit') AS boolean)").Scan(&version, &number, &standby, &compiles)
	if err != nil {
		return err
	}
	i.report.Database = "PostgreSQL " + version
	if number < 14_00_00 {
		i.fault("", "PostgreSQL "+version+" is older than 14", "")
	}
	if standby {
		i.fault("", "the server is a standby: nothing can be reaped on it", "name the primary in WATCHDOG_DATABASE_URL")
	}
	if compiles {
		i.notice("the server may compile a statement before it runs it (jit), which takes longer than to run it",
			"ALTER ROLE … SET jit = off, for the watchdog's role")
	}
	return nil
}

// node is what matters of a node of EXPLAIN's plan.
type node struct {
	Type     string `json:"Node Type"`
	Schema   string `json:"Schema"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Cond     string `json:"Index Cond"`
	Plans    []node `json:"Plans"`
}

// scannedByPostgres plans the statement as if nothing were dearer than to read a whole table: what is read whole
// even so has no index that would help. On a small table the planner may well prefer to.
func scannedByPostgres(ctx context.Context, tx *sqlx.Tx, query string, args []any) ([]string, error) {
	const dear = "SET LOCAL enable_seqscan = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_hashjoin = off; " +
		"SET LOCAL jit = off" // which would compile what is planned so
	if _, err := tx.ExecContext(ctx, dear); err != nil {
		return nil, err
	}
	var text []byte
	if err := tx.QueryRowContext(ctx, "EXPLAIN (VERBOSE, FORMAT JSON) "+query, args...).Scan(&text); err != nil {
		return nil, err
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal(text, &plans); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	var scanned []string
	for _, n := range plans[0].Plan.scans(nil) {
		whole, err := n.large(ctx, tx)
		if err != nil {
			return nil, err
		}
		if whole && !slices.Contains(scanned, n.Relation) {
			scanned = append(scanned, n.Relation)
		}
	}
	return scanned, nil
}

// scans are the nodes that read a table from end to end, by itself or along an index.
func (n node) scans(found []node) []node {
	if n.Type == "Seq Scan" || n.Index != "" && n.Relation != "" && n.Cond == "" && n.Type != "Bitmap Heap Scan" {
		found = append(found, n)
	}
	for _, below := range n.Plans {
		found = below.scans(found)
	}
	return found
}

// large reports whether the scan meets many rows. An index of some of the rows is made to be read from end to
// end. A table that was never analyzed has -1 rows; its size is an estimate then.
func (n node) large(ctx context.Context, tx *sqlx.Tx) (bool, error) {
	var yes bool
	err := tx.GetContext(ctx, &yes, `
		SELECT CASE WHEN c.reltuples < 0 THEN pg_relation_size(c.oid) / 100 ELSE c.reltuples END > $1
			AND NOT EXISTS (SELECT FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
				WHERE x.indrelid = c.oid AND i.relname = $2 AND x.indpred IS NOT NULL)
		FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
		WHERE s.nspname = $3 AND c.relname = $4`, large, n.Index, n.Schema, n.Relation)
	return yes, err
}

// indexColumnsPostgres are the columns, in order, of every index of a table.
func indexColumnsPostgres(ctx context.Context, db *sqlx.DB, table string) ([]string, error) {
	var lists []string
	err := db.SelectContext(ctx, &lists, `
		SELECT string_agg(coalesce(a.attname, ''), ', ' ORDER BY k.n)
		FROM pg_index x
		CROSS JOIN LATERAL unnest(CAST(x.indkey AS int2[])) WITH ORDINALITY AS k (attnum, n)
		LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
		WHERE x.indrelid = to_regclass($1) AND x.indisvalid
		GROUP BY x.indexrelid`, table)
	return lists, err
}
