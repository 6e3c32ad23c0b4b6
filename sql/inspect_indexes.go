package sql

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// wantedIndex is a CREATE INDEX of the set's indexes.sql.
type wantedIndex struct{ statement, table, columns string }

// wantedIndexes are those that a set recommends for a dialect.
func wantedIndexes(set string, d dialect) ([]wantedIndex, error) {
	text, err := sets.ReadFile("sets/" + set + "/" + string(d) + "/indexes.sql")
	if err != nil {
		return nil, err
	}
	var wanted []wantedIndex
	createIndex := regexp.MustCompile(`(?m)^CREATE INDEX \w+ ON (\w+) \(([^)]*)\).*;$`)
	for _, m := range createIndex.FindAllStringSubmatch(string(text), -1) {
		wanted = append(wanted, wantedIndex{statement: m[0], table: m[1], columns: m[2]})
	}
	return wanted, nil
}

// indexes tells which recommended indexes are missing. One that begins with the same columns will do.
func (i *inspection) indexes(ctx context.Context) {
	ctx, cancel := i.bounded(ctx)
	defer cancel()
	wanted, err := wantedIndexes(defaultSet, i.dialect)
	if err != nil {
		i.fault("", err.Error(), "")
		return
	}
	list := indexColumnsPostgres
	if i.dialect == sqlite {
		list = indexColumnsSQLite
	}
	for _, index := range wanted {
		present, err := list(ctx, i.db, index.table)
		if err != nil {
			i.fault("", i.failed(ctx, "list indexes of "+index.table, err).Error(), "")
			return
		}
		begins := func(columns string) bool { return strings.HasPrefix(columns+",", index.columns+",") }
		if !slices.ContainsFunc(present, begins) {
			i.slow("", "there is no index on "+index.table+" ("+index.columns+"): a pass gets slower as the table grows",
				i.creation(index.statement))
		}
	}
}

// creation is the statement as an operator runs it on a database in use.
func (i *inspection) creation(statement string) string {
	if i.dialect == postgres {
		return strings.Replace(statement, "CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)
	}
	return statement
}
