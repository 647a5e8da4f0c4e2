// Package pods watches the pods of one node through Kubernetes' API, as the processor
// k8s_attributes does. Of a pod no more than its metadata is asked for.
package pods

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover"
)

const (
	// firstList is how long the start waits for the pods that there are. Later ones, and
	// those of an API that answers later, are told of by Changed.
	firstList = 10 * time.Second
	// configHash is the annotation by which kubelet marks the API's copy of a static
	// pod: its processes' cgroups are named by that, not by the copy's uid.
	configHash = "kubernetes.io/config.hash"
)

// Options say whose pods are watched.
type Options struct {
	// Node is the name of the node that the collector runs on.
	Node string
	// Kubeconfig is the path of a configuration for the API; if empty it is that of the
	// pod's service account.
	Kubeconfig string
	Logger     *zap.Logger
}

// Watch implements discover.Pods.
type Watch struct {
	logger *zap.Logger
	// stop ends the informer, which runs until running is done.
	stop    context.CancelFunc
	running sync.WaitGroup

	mutex   sync.Mutex
	pods    map[string]*discover.Pod
	changed map[string]struct{}
}

// Start begins to watch. It needs the verbs get, list and watch on pods.
func Start(ctx context.Context, o Options) (*Watch, error) {
	config, err := restConfig(o.Kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := metadata.NewForConfig(metadata.ConfigFor(config))
	if err != nil {
		return nil, fmt.Errorf("make a client of Kubernetes' API: %w", err)
	}
	w := &Watch{
		logger:  o.Logger,
		pods:    make(map[string]*discover.Pod),
		changed: make(map[string]struct{}),
	}
	if err := w.watch(ctx, podsOf(client, o.Node)); err != nil {
		return nil, err
	}
	return w, nil
}

// podsOf makes the informer of a node's pods. Client-go's own constructor of such ones
// would bring the types of the whole API along.
func podsOf(client metadata.Interface, node string) cache.SharedInformer {
	pods := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"})
	ofNode := fields.OneTermEqualSelector("spec.nodeName", node).String()
	return cache.NewSharedInformer(cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = ofNode
			return pods.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = ofNode
			return pods.Watch(ctx, options)
		},
	}, client), &metav1.PartialObjectMetadata{}, 0)
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig != "" {
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", kubeconfig, err)
		}
		return config, nil
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("find Kubernetes' API: %w; run in a pod with a service account, or name a kubeconfig", err)
	}
	return config, nil
}

func (w *Watch) watch(ctx context.Context, informer cache.SharedInformer) error {
	if err := informer.SetTransform(slim); err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	if err := informer.SetWatchErrorHandler(w.failed); err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	handled, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { w.put(object) },
		UpdateFunc: func(_, object any) { w.put(object) },
		DeleteFunc: w.remove,
	})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	// The context given to the start ends with it.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	w.running.Go(func() { informer.RunWithContext(running) })
	waiting, cancel := context.WithTimeout(ctx, firstList)
	defer cancel()
	if !cache.WaitForCacheSync(waiting.Done(), handled.HasSynced) {
		w.logger.Warn("Kubernetes' API did not list this node's pods in time; their processes are selected once it does.",
			zap.Duration("waited", firstList))
	}
	return nil
}

// failed reports what keeps pods from being known; the informer tries again by itself.
func (w *Watch) failed(_ *cache.Reflector, err error) {
	w.logger.Warn("Could not watch this node's pods; trying again. It takes the verbs list and watch on pods.", zap.Error(err))
}

// slim drops what nobody asks for.
func slim(object any) (any, error) {
	if pod, ok := object.(*metav1.PartialObjectMetadata); ok {
		pod.ManagedFields, pod.OwnerReferences, pod.Finalizers = nil, nil, nil
		hash, ok := pod.Annotations[configHash]
		pod.Annotations = nil
		if ok {
			pod.Annotations = map[string]string{configHash: hash}
		}
	}
	return object, nil
}

func (w *Watch) put(object any) {
	metadata, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return
	}
	pod := &discover.Pod{Namespace: metadata.Namespace, Name: metadata.Name, Labels: metadata.Labels}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, uid := range uids(metadata) {
		if before := w.pods[uid]; before == nil || !maps.Equal(before.Labels, pod.Labels) {
			w.changed[uid] = struct{}{}
		}
		w.pods[uid] = pod
	}
}

func (w *Watch) remove(object any) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	metadata, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, uid := range uids(metadata) {
		delete(w.pods, uid)
	}
}

// uids are the names under which a pod's processes may be found.
func uids(pod *metav1.PartialObjectMetadata) []string {
	all := []string{string(pod.UID)}
	if hash := pod.Annotations[configHash]; hash != "" {
		all = append(all, hash)
	}
	return all
}

// Pod implements discover.Pods.
func (w *Watch) Pod(uid string) *discover.Pod {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.pods[uid]
}

// Changed implements discover.Pods.
func (w *Watch) Changed() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if len(w.changed) == 0 {
		return nil
	}
	changed := slices.Sorted(maps.Keys(w.changed))
	clear(w.changed)
	return changed
}

// Close ends the watch.
func (w *Watch) Close() {
	w.stop()
	w.running.Wait()
}
