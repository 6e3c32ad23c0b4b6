package sql

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What docs/sql.md gives to copy is what the other tests try: the GRANTs, the indexes and the contract.
func TestTheDocumentationIsWhatIsTested(t *testing.T) {
	raw, err := os.ReadFile("../docs/sql.md")
	require.NoError(t, err)
	docs := string(raw)

	grants, err := sets.ReadFile("sets/orchestrator/postgres/grants.sql")
	require.NoError(t, err)
	text, _ := plain(string(grants))
	require.Contains(t, docs, "```sql\n"+strings.TrimSpace(text)+";\n```")

	wanted, err := wantedIndexes(defaultSet, postgres)
	require.NoError(t, err)
	i := inspection{source: source{dialect: postgres}}
	var indexes []string
	for _, index := range wanted {
		indexes = append(indexes, i.creation(index.statement))
	}
	require.Contains(t, docs, "```sql\n"+strings.Join(indexes, "\n")+"\n```")

	for _, sig := range contract() {
		require.Contains(t, docs, sig.row())
	}
	for _, column := range jobColumns() {
		require.Contains(t, docs, "`"+column+"`")
	}
}

// row is how the documentation's table of statements begins a statement's row.
func (s signature) row() string {
	cell := ""
	if len(s.needs) > 0 {
		cell = "`:" + strings.Join(s.needs, " :") + "` "
	}
	if len(s.takes) > 0 {
		cell += "(`:" + strings.Join(s.takes, " :") + "`) "
	}
	return "| `" + s.name + ".sql` | " + cell + "| "
}
