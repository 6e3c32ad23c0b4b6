package kubernetes

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// TestPodOfTheExample is what a reader of the example relies on.
func TestPodOfTheExample(t *testing.T) {
	objects := build(t, example)
	d := find[appsv1.Deployment](t, objects, "Deployment", "orchestrator")
	assert.Equal(t, int32(1), *d.Spec.Replicas)
	assert.Equal(t, appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}, d.Spec.Strategy)

	pod := d.Spec.Template.Spec
	assert.False(t, *pod.EnableServiceLinks)
	assert.False(t, *pod.AutomountServiceAccountToken)
	assert.GreaterOrEqual(t, *pod.TerminationGracePeriodSeconds, int64(30*time.Minute/time.Second), "longer than a finalizer")
	require.Len(t, pod.InitContainers, 1)
	checkSidecar(t, pod, pod.InitContainers[0])

	orchestrator := pod.Containers[0]
	assert.NotEqual(t, pod.InitContainers[0].SecurityContext.RunAsUser, orchestrator.SecurityContext.RunAsUser)
	shared := pod.InitContainers[0].VolumeMounts[0]
	assert.Contains(t, orchestrator.VolumeMounts, corev1.VolumeMount{Name: shared.Name, MountPath: shared.MountPath, ReadOnly: true})
	assert.True(t, find[corev1.Service](t, objects, "Service", "orchestrator").Spec.PublishNotReadyAddresses)
}

func checkSidecar(t *testing.T, pod corev1.PodSpec, w corev1.Container) {
	t.Helper()
	require.NotNil(t, w.RestartPolicy)
	assert.Equal(t, corev1.ContainerRestartPolicyAlways, *w.RestartPolicy)
	assert.Equal(t, "watchdog", w.Name, "the runbooks call it so")
	assert.NotNil(t, pod.SecurityContext.FSGroup)

	s := w.SecurityContext
	assert.True(t, *s.RunAsNonRoot && *s.ReadOnlyRootFilesystem && !*s.AllowPrivilegeEscalation)
	assert.Equal(t, int64(65532), *s.RunAsUser)
	assert.Equal(t, []corev1.Capability{"ALL"}, s.Capabilities.Drop)
	assert.Empty(t, s.Capabilities.Add)
	assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, s.SeccompProfile.Type)
	for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		assert.Equal(t, -1, w.Resources.Requests.Name(resource, "").Cmp(w.Resources.Limits[resource]), resource)
	}
	require.NotNil(t, w.StartupProbe)
	require.NotNil(t, w.ReadinessProbe)
	require.NotNil(t, w.LivenessProbe)

	volumes := make(map[string]corev1.VolumeSource)
	for _, v := range pod.Volumes {
		volumes[v.Name] = v.VolumeSource
	}
	for _, m := range w.VolumeMounts {
		switch from := volumes[m.Name]; m.MountPath {
		case "/run/watchdog":
			require.NotNil(t, from.EmptyDir)
			assert.Equal(t, corev1.StorageMediumMemory, from.EmptyDir.Medium)
		case "/etc/watchdog/database":
			require.NotNil(t, from.Secret)
			assert.True(t, m.ReadOnly)
		case "/var/run/secrets/kubernetes.io/serviceaccount":
			require.NotNil(t, from.EmptyDir, "what is mounted here keeps the token out")
		default:
			t.Errorf("what is mounted at %s?", m.MountPath)
		}
	}
}

// TestPodIsRestricted asks Pod Security Admission, which enforces the namespace's label.
func TestPodIsRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	d := find[appsv1.Deployment](t, build(t, example), "Deployment", "orchestrator")
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	ask := func() policy.AggregateCheckResult {
		return policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &d.Spec.Template.ObjectMeta, &d.Spec.Template.Spec))
	}
	first := ask()
	assert.True(t, first.Allowed, first.ForbiddenDetail())
	d.Spec.Template.Spec.InitContainers[0].SecurityContext.SeccompProfile = nil
	assert.False(t, ask().Allowed)
}

// TestComponentOnAPodThatExists leaves the pod as it was, but for what the component says of itself.
func TestComponentOnAPodThatExists(t *testing.T) {
	objects := build(t, "testdata/existing")
	d := find[appsv1.Deployment](t, objects, "Deployment", "jobs")
	assert.Equal(t, int32(1), *d.Spec.Replicas)
	assert.Equal(t, appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}, d.Spec.Strategy)

	pod := d.Spec.Template.Spec
	assert.Equal(t, []string{"watchdog", "migrate"}, names(pod.InitContainers), "it is there before anybody else")
	assert.Equal(t, []string{"jobs", "proxy"}, names(pod.Containers))
	assert.Equal(t, []corev1.VolumeMount{{Name: "work", MountPath: "/work"}}, pod.Containers[0].VolumeMounts)
	assert.Equal(t, int64(7200), *pod.TerminationGracePeriodSeconds)
	assert.Equal(t, int64(1000), *pod.SecurityContext.RunAsUser)
	assert.Nil(t, pod.AutomountServiceAccountToken, "the orchestrator may need it")
	assert.Nil(t, pod.EnableServiceLinks)
	assert.Contains(t, pod.Volumes, corev1.Volume{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	checkSidecar(t, pod, pod.InitContainers[0])

	set := find[appsv1.StatefulSet](t, objects, "StatefulSet", "batch")
	checkSidecar(t, set.Spec.Template.Spec, set.Spec.Template.Spec.InitContainers[0])
	neighbour := find[appsv1.Deployment](t, objects, "Deployment", "web")
	assert.Empty(t, neighbour.Spec.Template.Spec.InitContainers)
	assert.Equal(t, int32(3), *neighbour.Spec.Replicas)
}

// TestOlderClusters: the patch for those that know no sidecars makes the watchdog a container like any other.
func TestOlderClusters(t *testing.T) {
	pod := find[appsv1.Deployment](t, build(t, "testdata/older"), "Deployment", "orchestrator").Spec.Template.Spec
	assert.Empty(t, pod.InitContainers)
	assert.Equal(t, []string{"watchdog", "orchestrator"}, names(pod.Containers))
	assert.Nil(t, pod.Containers[0].RestartPolicy)
	assert.Equal(t, []string{"serve"}, pod.Containers[0].Args)

	patch, err := os.ReadFile("testdata/older/kustomization.yaml")
	require.NoError(t, err)
	documented, err := os.ReadFile("../../docs/kubernetes.md")
	require.NoError(t, err)
	_, lines, found := strings.Cut(string(patch), "patch: |-\n")
	require.True(t, found)
	for line := range strings.Lines(lines) {
		assert.Contains(t, string(documented), line)
	}
}

func names(containers []corev1.Container) []string {
	var all []string
	for _, c := range containers {
		all = append(all, c.Name)
	}
	return all
}
