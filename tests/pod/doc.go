// Package pod runs the sidecar as deploy/kubernetes says, beside an orchestrator under another user id, each with
// processes and mounts of its own, and requires that marks work and that a death is still proven.
//
// There is no Kubernetes here: the containers are those of package container, and what kubelet does with a volume
// (its mode and group) is done by hand. tests/kubernetes holds the manifests against Kubernetes' own types.
//
// What the sidecar takes under the manifest's limits is printed by
//
//	WATCHDOG_TEST_ALL=1 go test -run TestFootprint -v ./tests/pod
package pod
