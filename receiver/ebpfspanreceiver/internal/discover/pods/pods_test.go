package pods

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api speaks as much of Kubernetes' API as listing and watching metadata takes.
type api struct {
	t      *testing.T
	listed []metav1.PartialObjectMetadata
	// events are sent to whoever watches.
	events chan event
	// refuse has requests denied while it is not empty.
	refuse chan struct{}
}

type event struct {
	Type   string                       `json:"type"`
	Object metav1.PartialObjectMetadata `json:"object"`
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	assert.Equal(a.t, "/api/v1/pods", r.URL.Path)
	assert.Equal(a.t, "spec.nodeName=node-1", query.Get("fieldSelector"), "pods of this node only")
	assert.Contains(a.t, r.Header.Get("Accept"), "PartialObjectMetadata", "metadata only")
	select {
	case <-a.refuse:
		http.Error(w, "forbidden", http.StatusForbidden)
		return
	default:
	}
	w.Header().Set("Content-Type", "application/json")
	if query.Get("watch") == "" {
		_ = json.NewEncoder(w).Encode(metav1.PartialObjectMetadataList{
			TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadataList", APIVersion: "meta.k8s.io/v1"},
			ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: a.listed,
		})
		return
	}
	if query.Get("sendInitialEvents") == "true" {
		// As servers before 1.32 do, which cannot stream a list.
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
			Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity,
		})
		return
	}
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case e := <-a.events:
			_ = json.NewEncoder(w).Encode(e)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func pod(uid, name, version string, labels map[string]string) metav1.PartialObjectMetadata {
	return metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadata", APIVersion: "meta.k8s.io/v1"},
		ObjectMeta: metav1.ObjectMeta{
			UID: types.UID(uid), Name: name, Namespace: "shop", ResourceVersion: version, Labels: labels,
			Annotations: map[string]string{"big": "and of no use"},
		},
	}
}

func start(t *testing.T, a *api) *Watch {
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	kubeconfig := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(kubeconfig, fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: c,
		clusters: [{name: k, cluster: {server: %q}}], contexts: [{name: c, context: {cluster: k}}]}`, server.URL), 0o600))
	w, err := Start(t.Context(), Options{Node: "node-1", Kubeconfig: kubeconfig, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

func TestWatch(t *testing.T) {
	static := pod("u2", "etcd", "1", nil)
	static.Annotations[configHash] = "9f86d081884c7d659a2feaa0c55ad015"
	a := &api{
		t: t, events: make(chan event),
		listed: []metav1.PartialObjectMetadata{pod("u1", "orders-1", "1", map[string]string{"app": "orders"}), static},
	}
	w := start(t, a)
	assert.Equal(t, []string{"9f86d081884c7d659a2feaa0c55ad015", "u1", "u2"}, w.Changed())
	assert.Empty(t, w.Changed())
	assert.Equal(t, &discover.Pod{Namespace: "shop", Name: "orders-1", Labels: map[string]string{"app": "orders"}}, w.Pod("u1"))
	assert.Equal(t, "etcd", w.Pod("9f86d081884c7d659a2feaa0c55ad015").Name, "static pods' cgroups have the hash")
	assert.Nil(t, w.Pod("u3"))

	changed := func(want ...string) {
		t.Helper()
		var got []string
		require.Eventually(t, func() bool {
			got = append(got, w.Changed()...)
			return len(got) >= len(want)
		}, 10*time.Second, time.Millisecond)
		assert.Equal(t, want, got)
	}
	a.events <- event{"MODIFIED", pod("u1", "orders-1", "2", map[string]string{"app": "orders"})}
	a.events <- event{"ADDED", pod("u3", "prices-1", "3", nil)}
	changed("u3") // u1 has the same labels
	a.events <- event{"MODIFIED", pod("u1", "orders-1", "4", map[string]string{"app": "other"})}
	changed("u1")
	assert.Equal(t, "other", w.Pod("u1").Labels["app"])
	a.events <- event{"DELETED", pod("u1", "orders-1", "5", nil)}
	require.Eventually(t, func() bool { return w.Pod("u1") == nil }, 10*time.Second, time.Millisecond)
}

// An API that refuses at first is asked again.
func TestWatchOfARefusingAPI(t *testing.T) {
	a := &api{t: t, events: make(chan event), refuse: make(chan struct{}, 2), listed: []metav1.PartialObjectMetadata{pod("u1", "orders-1", "1", nil)}}
	a.refuse <- struct{}{}
	a.refuse <- struct{}{}
	w := start(t, a)
	require.Eventually(t, func() bool { return w.Pod("u1") != nil }, 30*time.Second, 10*time.Millisecond)
}

func TestStartErrors(t *testing.T) {
	_, err := Start(t.Context(), Options{Node: "n", Kubeconfig: "/nowhere/config", Logger: zap.NewNop()})
	require.ErrorContains(t, err, "/nowhere/config")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	_, err = Start(t.Context(), Options{Node: "n", Logger: zap.NewNop()})
	require.ErrorContains(t, err, "kubeconfig")
}
