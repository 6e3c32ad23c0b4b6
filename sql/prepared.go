package sql

import (
	"context"
	"database/sql/driver"
	"time"
)

// prepared keeps statements of one connection parsed and planned, for to do that takes several times as long as to run
// them, and a recovery waits for it. Its connection's user is its own: one at a time.
type prepared struct {
	conn       driver.ConnPrepareContext
	statements map[string]dated
}

// dated is a statement and when it was prepared.
type dated struct {
	keptStatement
	at time.Time
}

// keepFor is how long a statement is kept. The plan of one that was prepared while the tables were empty reads them
// whole, and the server keeps to it until it has counted the tables again.
const keepFor = time.Minute

// keptStatement is all that is asked of a driver's statement.
type keptStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type keepKey struct{}

// kept asks the connection that the statement goes to, where it can, to keep it prepared. A statement whose best
// plan depends on its parameters must not be.
func kept(ctx context.Context) context.Context { return context.WithValue(ctx, keepKey{}, true) }

// get returns the statement, prepared at the first call; nil when it is not to be kept. A nil prepared keeps none.
func (p *prepared) get(ctx context.Context, query string) (keptStatement, error) {
	if p == nil || ctx.Value(keepKey{}) == nil {
		return nil, nil
	}
	if st, ok := p.statements[query]; ok {
		if time.Since(st.at) < keepFor {
			return st, nil
		}
		delete(p.statements, query)
		if err := st.Close(); err != nil {
			return nil, err
		}
	}
	made, err := p.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	st, ok := made.(keptStatement)
	if !ok {
		return nil, made.Close()
	}
	if p.statements == nil {
		p.statements = make(map[string]dated)
	}
	p.statements[query] = dated{st, time.Now()}
	return st, nil
}

// query runs a statement that is kept; it did not run when done is false.
func (p *prepared) query(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, done bool, err error) {
	st, err := p.get(ctx, query)
	if st == nil || err != nil {
		return nil, err != nil, err
	}
	rows, err = st.QueryContext(ctx, args)
	p.after(err)
	return rows, true, err
}

// exec is query for a statement that gives no rows.
func (p *prepared) exec(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, done bool, err error) {
	st, err := p.get(ctx, query)
	if st == nil || err != nil {
		return nil, err != nil, err
	}
	result, err = st.ExecContext(ctx, args)
	p.after(err)
	return result, true, err
}

// after lets go of all statements when one failed: the schema may have changed under them.
func (p *prepared) after(err error) {
	if err == nil {
		return
	}
	for _, st := range p.statements {
		_ = st.Close() // the connection may be gone
	}
	p.statements = nil
}
