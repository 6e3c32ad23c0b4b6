package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	stdsql "database/sql"
)

// Severity says how much a finding matters.
type Severity string

const (
	Fault  Severity = "fault"  // it does not work
	Slow   Severity = "slow"   // it works, and gets slower as the tables grow
	Notice Severity = "notice" // it works, and could be better
)

// Finding is one thing that is wrong, and what to do about it.
type Finding struct {
	Severity  Severity
	Statement string // which it concerns; empty: the database
	Problem   string
	Remedy    string // may be empty
}

// Report is what Inspect found.
type Report struct {
	Database   string   // what answered, such as "PostgreSQL 15.6"; empty: nothing did
	Statements []string // those that were tried, each with where it was read
	Findings   []Finding
}

// Has reports whether there is a finding of that severity.
func (r Report) Has(s Severity) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == s })
}

// large is from how many rows on a statement must not read a whole table.
const large = 10_000

// Inspect tries the statements on the real database, as the configured user, without running one of them: the
// database plans each, which needs every table, column and privilege, and gives its columns. It also looks for
// full scans of large tables, for the recommended indexes and for a mode that fits. It writes nothing.
// Each question is bounded by the configured timeout.
func Inspect(ctx context.Context, cfg Config) Report {
	src, err := parse(cfg)
	if err != nil {
		return Report{Findings: []Finding{{Severity: Fault, Problem: err.Error()}}}
	}
	db, err := src.open()
	if err != nil {
		return Report{Findings: []Finding{{Severity: Fault, Problem: err.Error()}}}
	}
	defer func() { _ = db.Close() }()

	i := &inspection{source: src, db: db}
	all, err := load(orDefault(cfg.Set), src.dialect, cfg.Dir, src.bind)
	for _, fault := range joined(err) {
		i.fault("", fault.Error(), "see docs/sql.md for the contract")
	}
	if !i.connect(ctx) {
		return i.report
	}
	for _, sig := range contract() {
		if st, ok := all[sig.name]; ok && st.query != "" {
			i.report.Statements = append(i.report.Statements, sig.name+" ("+st.origin+")")
			i.try(ctx, st)
		}
	}
	if orDefault(cfg.Set) == defaultSet && cfg.Dir == "" {
		i.indexes(ctx)
	}
	return i.report
}

// joined are the errors that errors.Join made one of.
func joined(err error) []error {
	if err == nil {
		return nil
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	return []error{err}
}

// inspection is a report in the making.
type inspection struct {
	source
	db     *sqlx.DB
	report Report
}

func (i *inspection) fault(statement, problem, remedy string) {
	i.report.Findings = append(i.report.Findings, Finding{Fault, statement, problem, remedy})
}

func (i *inspection) slow(statement, problem, remedy string) {
	i.report.Findings = append(i.report.Findings, Finding{Slow, statement, problem, remedy})
}

func (i *inspection) notice(problem, remedy string) {
	i.report.Findings = append(i.report.Findings, Finding{Severity: Notice, Problem: problem, Remedy: remedy})
}

// connect makes sure that there is a database to ask.
func (i *inspection) connect(ctx context.Context) bool {
	ctx, cancel := i.bounded(ctx)
	defer cancel()
	greet := i.greetPostgres
	if i.dialect == sqlite {
		greet = i.greetSQLite
	}
	if err := greet(ctx); err != nil {
		i.fault("", i.failed(ctx, "connect", err).Error(), "")
		return false
	}
	return true
}

// try has the database plan one statement and compares what it would give with the contract.
func (i *inspection) try(ctx context.Context, st statement) {
	ctx, cancel := i.bounded(ctx)
	defer cancel()
	scanned, columns, err := i.plan(ctx, st)
	if err != nil {
		i.fault(st.name, i.failed(ctx, "prepare", err).Error(), i.remedy(err))
		return
	}
	for _, column := range st.gives {
		if !slices.Contains(columns, column) {
			i.fault(st.name, fmt.Sprintf("it gives no column %q", column), "select it, as NULL where nothing is known")
		}
	}
	for _, column := range columns {
		if !slices.Contains(st.gives, column) {
			i.fault(st.name, fmt.Sprintf("it gives a column %q that nobody reads", column), "leave it out")
		}
	}
	for _, table := range scanned {
		i.slow(st.name, fmt.Sprintf("it reads the whole of %s, which is large", table),
			"create the indexes of docs/sql.md, and ANALYZE "+table)
	}
}

// plan gives the large tables that a statement would read from end to end, and its columns.
func (i *inspection) plan(ctx context.Context, st statement) (scanned, columns []string, err error) {
	// What is planned is not run, and of what is asked for its columns no row is fetched. That nothing is written
	// is PostgreSQL's word as well, but for lock: it is not even planned in a transaction that may not write.
	tx, err := i.db.BeginTxx(ctx, &stdsql.TxOptions{ReadOnly: st.name != "lock" || i.dialect == sqlite})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = tx.Rollback() }()
	args := st.args(map[string]any{"now": seconds(time.Now()), "grace": 120.0, "ceiling": 7200.0, "after": "",
		"limit": int64(1000), "jobs": `["1"]`, "job": "1", "version": ""})
	if i.dialect == sqlite {
		scanned, err = scannedBySQLite(ctx, tx, st.query, args)
	} else {
		scanned, err = scannedByPostgres(ctx, tx, st.query, args)
	}
	if err != nil || len(st.gives) == 0 {
		return scanned, nil, err
	}
	rows, err := tx.QueryxContext(ctx, "SELECT * FROM ("+st.query+") contract LIMIT 0", args...)
	if err != nil {
		return nil, nil, err
	}
	columns, err = rows.Columns()
	return scanned, columns, errors.Join(err, rows.Close())
}

// remedy says what to do about a statement that the database refuses.
func (i *inspection) remedy(err error) string {
	switch {
	case isCode(err, "42501"):
		return "grant the watchdog's role what docs/sql.md lists"
	case isCode(err, "42P01", "42703"), strings.Contains(err.Error(), "no such"):
		return "the schema is not the one that these statements are for: bring your own in WATCHDOG_SQL_DIR"
	}
	return ""
}
