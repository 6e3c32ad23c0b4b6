package web_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// requireSchema holds a body against one definition of queue.schema.json, more strictly than a reader would:
// a field that the schema does not name is a fault too.
func requireSchema(t *testing.T, definition string, body []byte) {
	t.Helper()
	file, err := os.ReadFile("queue.schema.json")
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(file))
	require.NoError(t, err)
	seal(document)

	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("queue.schema.json", document))
	schema, err := compiler.Compile("queue.schema.json#/$defs/" + definition)
	require.NoError(t, err)

	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, schema.Validate(value), "%s", body)
}

// seal forbids every property that an object of the schema does not list.
func seal(node any) {
	switch node := node.(type) {
	case map[string]any:
		for _, child := range node {
			seal(child)
		}
		_, lists := node["properties"].(map[string]any)
		if _, open := node["additionalProperties"]; lists && !open && node["type"] == "object" {
			node["additionalProperties"] = false
		}
	case []any:
		for _, child := range node {
			seal(child)
		}
	}
}
