package kubernetes

import (
	"errors"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const example = "../../deploy/kubernetes/example"

// object is one manifest of what kustomize has built.
type object struct {
	kind, name string
	yaml       []byte
}

// build does what `kubectl kustomize FOLDER` does, by the same library.
func build(t *testing.T, folder string) []object {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	require.NoError(t, err)
	var all []object
	for _, r := range built.Resources() {
		text, err := r.AsYAML()
		require.NoError(t, err)
		all = append(all, object{r.GetKind(), r.GetName(), text})
	}
	require.NotEmpty(t, all)
	return all
}

// typed is an empty value of the type that the API has for a kind.
func typed(t *testing.T, kind string) any {
	t.Helper()
	switch kind {
	case "ConfigMap":
		return &corev1.ConfigMap{}
	case "Deployment":
		return &appsv1.Deployment{}
	case "Namespace":
		return &corev1.Namespace{}
	case "NetworkPolicy":
		return &networkingv1.NetworkPolicy{}
	case "PodMonitor":
		return &monitoringv1.PodMonitor{}
	case "PrometheusRule":
		return &monitoringv1.PrometheusRule{}
	case "Secret":
		return &corev1.Secret{}
	case "Service":
		return &corev1.Service{}
	case "StatefulSet":
		return &appsv1.StatefulSet{}
	}
	t.Fatalf("no type for the kind %s; name it here", kind)
	return nil
}

// decode is strict as the API server is: no field that the type does not have, none twice, none in another case.
func decode(manifest []byte, into any) error {
	text, err := yaml.YAMLToJSONStrict(manifest)
	if err != nil {
		return err
	}
	strict, err := json.UnmarshalStrict(text, into)
	return errors.Join(append(strict, err)...)
}

// find decodes the object of a type whose name begins with the given text: kustomize adds a hash to some.
func find[T any](t *testing.T, objects []object, kind, name string) T {
	t.Helper()
	for _, o := range objects {
		if o.kind == kind && strings.HasPrefix(o.name, name) {
			var found T
			require.NoError(t, decode(o.yaml, &found))
			return found
		}
	}
	t.Fatalf("no %s %s", kind, name)
	panic("unreachable")
}
