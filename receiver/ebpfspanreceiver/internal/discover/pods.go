package discover

import (
	"slices"

	"k8s.io/apimachinery/pkg/labels"
)

// Pod is what selection must know of a Kubernetes pod.
type Pod struct {
	Namespace, Name string
	Labels          map[string]string
}

// Pods knows the pods of this node. It is asked by the goroutine that delivers the
// events, while others keep it up to date.
type Pods interface {
	// Pod returns a pod by its uid, nil where it is not known, or not yet.
	Pod(uid string) *Pod
	// Changed returns the uids of the pods that became known, or whose labels changed,
	// since it was asked last.
	Changed() []string
}

// PodSelector matches pods that are in one of the namespaces, or in any where there
// are none, and have the labels.
type PodSelector struct {
	Namespaces []string
	Labels     labels.Selector
}

func (s PodSelector) matches(pod *Pod) bool {
	if len(s.Namespaces) > 0 && !slices.Contains(s.Namespaces, pod.Namespace) {
		return false
	}
	return s.Labels == nil || s.Labels.Matches(labels.Set(pod.Labels))
}
