package kubernetes

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// TestMonitorFindsThePod follows the names by which the operator finds what to scrape.
func TestMonitorFindsThePod(t *testing.T) {
	objects := build(t, example)
	template := find[appsv1.Deployment](t, objects, "Deployment", "orchestrator").Spec.Template
	monitor := find[monitoringv1.PodMonitor](t, objects, "PodMonitor", "finalizer-watchdog")
	for key, value := range monitor.Spec.Selector.MatchLabels {
		assert.Equal(t, value, template.Labels[key])
	}
	require.Len(t, monitor.Spec.PodMetricsEndpoints, 1)
	assert.Equal(t, template.Spec.InitContainers[0].Ports[0].Name, *monitor.Spec.PodMetricsEndpoints[0].Port)
	assert.True(t, *monitor.Spec.ScrapeClassicHistograms)
	relabelled := make(map[string]string)
	for _, r := range monitor.Spec.PodMetricsEndpoints[0].RelabelConfigs {
		if r.Replacement != nil {
			relabelled[r.TargetLabel] = *r.Replacement
		}
	}
	assert.Equal(t, "finalizer-watchdog", relabelled["job"], "the rules and the dashboard look for it")
}

// TestPolicyShutsOnePortOnly: a policy that selects a pod shuts every port that it does not name.
func TestPolicyShutsOnePortOnly(t *testing.T) {
	objects := build(t, example)
	template := find[appsv1.Deployment](t, objects, "Deployment", "orchestrator").Spec.Template
	policy := find[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy", "finalizer-watchdog")
	for key, value := range policy.Spec.PodSelector.MatchLabels {
		assert.Equal(t, value, template.Labels[key])
	}
	assert.Equal(t, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, policy.Spec.PolicyTypes)

	watchdog := template.Spec.InitContainers[0].Ports[0].ContainerPort
	for _, protocol := range []string{"TCP", "UDP", "SCTP"} {
		for port := int32(1); port <= 65535; port++ {
			shut := protocol == "TCP" && port == watchdog
			if open(policy, protocol, port) == shut {
				t.Fatalf("port %d of %s is open to everybody: %v", port, protocol, !shut)
			}
		}
	}
	assert.NotEmpty(t, policy.Spec.Ingress[0].From, "Prometheus")
	assert.Equal(t, int(watchdog), policy.Spec.Ingress[0].Ports[0].Port.IntValue())
}

// open reports whether everybody may reach a port.
func open(policy networkingv1.NetworkPolicy, protocol string, port int32) bool {
	for _, rule := range policy.Spec.Ingress {
		for _, p := range rule.Ports {
			last := int32(p.Port.IntValue())
			if p.EndPort != nil {
				last = *p.EndPort
			}
			if len(rule.From) == 0 && string(*p.Protocol) == protocol && p.Port.IntVal <= port && port <= last {
				return true
			}
		}
	}
	return false
}
