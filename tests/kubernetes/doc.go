// Package kubernetes holds deploy/kubernetes against Kubernetes itself: kustomize builds the example and the components,
// kubeconform checks every manifest against Kubernetes' OpenAPI and the Prometheus operator's definitions, and the types
// of their APIs decode it strictly. What a cluster would make of the pod is asked of Pod Security Admission.
//
// It is a module of its own, for what it needs is many times the product. From nothing it takes two minutes:
//
//	make test-kubernetes
package kubernetes
