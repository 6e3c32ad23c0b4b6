package kubernetes

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// operator is the newest version of the module in which the Prometheus operator publishes its definitions.
const operator = "github.com/prometheus-operator/prometheus-operator@v0.85.0"

// schemas writes a JSON Schema for each kind that Kubernetes and the Prometheus operator have to a folder, as
// kubeconform looks for them, and returns it. A field that no schema has is an error.
func schemas(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	release := strings.Replace(command(t, "go", "list", "-m", "-f", "{{.Version}}", "k8s.io/api"), "v0.", "v1.", 1)
	text, err := os.ReadFile(filepath.Join(download(t, "k8s.io/kubernetes@"+release), "api/openapi-spec/swagger.json"))
	require.NoError(t, err)
	var spec struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	require.NoError(t, json.Unmarshal(text, &spec))
	for _, definition := range spec.Definitions {
		close(definition)
	}
	write(t, filepath.Join(folder, "definitions.json"), spec)
	for name, definition := range spec.Definitions {
		for _, kind := range kinds(definition) {
			write(t, filepath.Join(folder, kind+".json"), map[string]any{"$ref": "definitions.json#/definitions/" + name})
		}
	}
	for _, plural := range []string{"podmonitors", "prometheusrules"} {
		custom(t, filepath.Join(download(t, operator), "example/prometheus-operator-crd/monitoring.coreos.com_"+plural+".yaml"), folder)
	}
	return folder
}

// kinds are the names under which kubeconform looks for a definition, such as deployment-apps-v1.
func kinds(definition map[string]any) []string {
	var names []string
	all, _ := definition["x-kubernetes-group-version-kind"].([]any)
	for _, one := range all {
		gvk := one.(map[string]any)
		name := gvk["kind"].(string)
		if group, _, _ := strings.Cut(gvk["group"].(string), "."); group != "" {
			name += "-" + group
		}
		names = append(names, strings.ToLower(name+"-"+gvk["version"].(string)))
	}
	return names
}

// close makes a schema refuse the fields that it does not name, all the way down, and puts right what OpenAPI says
// otherwise than JSON Schema: numbers that may be texts, and references between definitions.
func close(schema map[string]any) {
	if reference, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(reference, "#/definitions/")
		if strings.HasSuffix(name, ".IntOrString") || strings.HasSuffix(name, ".Quantity") {
			delete(schema, "$ref")
			schema["type"] = []any{"string", "number"}
		}
		return
	}
	if schema["x-kubernetes-int-or-string"] == true {
		delete(schema, "type")
	}
	delete(schema, "format") // int32, date-time and others that are for programs
	properties, ok := schema["properties"].(map[string]any)
	if ok && schema["additionalProperties"] == nil && schema["x-kubernetes-preserve-unknown-fields"] != true {
		schema["additionalProperties"] = false
	}
	for _, property := range properties {
		close(property.(map[string]any))
	}
	for _, name := range []string{"items", "additionalProperties"} {
		if inner, ok := schema[name].(map[string]any); ok {
			close(inner)
		}
	}
}

// custom writes the schema of a CustomResourceDefinition.
func custom(t *testing.T, path, folder string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPI map[string]any `json:"openAPIV3Schema"`
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &crd))
	group, _, _ := strings.Cut(crd.Spec.Group, ".")
	for _, v := range crd.Spec.Versions {
		properties := v.Schema.OpenAPI["properties"].(map[string]any)
		properties["metadata"] = map[string]any{"$ref": "definitions.json#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
		close(v.Schema.OpenAPI)
		write(t, filepath.Join(folder, strings.ToLower(crd.Spec.Names.Kind+"-"+group+"-"+v.Name)+".json"), v.Schema.OpenAPI)
	}
}

func write(t *testing.T, path string, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o600))
}

// download is the folder of a module's source, which the Go command fetches and verifies.
func download(t *testing.T, module string) string {
	t.Helper()
	var told struct{ Dir string }
	require.NoError(t, json.Unmarshal([]byte(command(t, "go", "mod", "download", "-json", module)), &told))
	return told.Dir
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), name, args...).Output()
	require.NoError(t, err, "%s %v: %s", name, args, output)
	return strings.TrimSpace(string(output))
}
