package seqlinkprocessor

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/slicestore"
)

func durable(t *testing.T) func(*Config) {
	return func(c *Config) { c.DBPath = filepath.Join(t.TempDir(), "not", "there", "yet") }
}

// restarts are the ways in which a linker can end and begin again.
var restarts = map[string]func(*rig){"close": (*rig).reopen, "kill": (*rig).kill}

func TestRestart(t *testing.T) {
	tests := []struct {
		name   string
		before func(*rig)
		after  func(*rig)
		want   map[uint64]want
	}{
		{
			name:   "waiting spans wait on",
			before: func(r *rig) { r.send(server(2, 0x20, 0x10)); r.pass(r.cfg.Window / 2) },
			after:  func(r *rig) { r.send(client(1, 0x10, 0)) },
			want:   map[uint64]want{0x10: {derived(0x10), 0}, 0x20: {derived(0x10), 0x10}},
		},
		{
			name:   "a trace of which half has left keeps its name",
			before: func(r *rig) { r.send(server(2, 0x20, 0x10)); r.pass(r.cfg.Window) },
			after:  func(r *rig) { r.send(client(1, 0x10, 0)); r.send(client(2, 0x21, 0x20)) },
			want:   map[uint64]want{0x10: {derived(0x20), 0}, 0x20: {derived(0x20), 0}, 0x21: {derived(0x20), 0x20}},
		},
		{
			name:   "late children find parents that have left",
			before: func(r *rig) { r.send(client(1, 0x10, 0)); r.pass(r.cfg.Window) },
			after:  func(r *rig) { r.send(server(2, 0x20, 0x10)) },
			want:   map[uint64]want{0x10: {derived(0x10), 0}, 0x20: {derived(0x10), 0x10}},
		},
		{
			name:   "duplicates of what has left are known",
			before: func(r *rig) { r.send(client(1, 0x10, 0)); r.pass(r.cfg.Window) },
			after:  func(r *rig) { r.send(client(1, 0x10, 0)) },
			want:   map[uint64]want{0x10: {derived(0x10), 0}},
		},
		{
			name:   "application contexts that have left still join",
			before: func(r *rig) { r.send(chainSpans()[3:5]...); r.pass(r.cfg.Window) },
			after:  func(r *rig) { r.send(chainSpans()[5]) },
			want: map[uint64]want{
				kernelClient: {tid(appTrace), kernelFront}, kernelServer: {tid(appTrace), kernelClient},
				sdkServer: {tid(appTrace), kernelServer},
			},
		},
		{
			name: "each of two joined traces keeps its name",
			before: func(r *rig) {
				r.send(client(1, 0x10, 0))
				r.send(server(3, 0x30, 0x20))
				r.pass(r.cfg.Window)
				r.send(server(2, 0x21, 0x10), client(2, 0x20, 0x21))
			},
			after: func(r *rig) { r.send(client(3, 0x31, 0x30)) },
			want: map[uint64]want{
				0x10: {derived(0x10), 0}, 0x30: {derived(0x30), 0}, 0x31: {derived(0x30), 0x30},
				0x20: {derived(0x10), 0x21}, 0x21: {derived(0x10), 0x10},
			},
		},
		{
			name: "what came at the end of the retention still finds its trace",
			before: func(r *rig) {
				r.send(client(1, 0x10, 0))
				r.pass(r.cfg.Window)
				r.pass(r.cfg.retention() - time.Second)
				r.send(server(2, 0x20, 0x10))
				r.pass(r.cfg.Window - time.Second)
			},
			after: func(*rig) {},
			want:  map[uint64]want{0x10: {derived(0x10), 0}, 0x20: {derived(0x10), 0x10}},
		},
		{
			name:   "a long time down changes nothing",
			before: func(r *rig) { r.send(client(1, 0x10, 0)); r.pass(r.cfg.Window); r.send(server(2, 0x20, 0x10)) },
			after:  func(r *rig) { r.clock.add(10 * r.cfg.retention()) },
			want:   map[uint64]want{0x10: {derived(0x10), 0}, 0x20: {derived(0x10), 0x10}},
		},
		{
			name:   "a clock that was set back delays by no more than a window",
			before: func(r *rig) { r.send(client(1, 0x10, 0)); r.clock.add(-24 * time.Hour) },
			after:  func(r *rig) { r.send(server(2, 0x20, 0x10)) },
			want:   map[uint64]want{0x10: {derived(0x10), 0}, 0x20: {derived(0x10), 0x10}},
		},
	}
	for _, tt := range tests {
		for how, restart := range restarts {
			t.Run(tt.name+"/"+how, func(t *testing.T) {
				r := newRig(t, durable(t))
				tt.before(r)
				restart(r)
				tt.after(r)
				r.pass(r.cfg.Window)
				assertWant(t, tt.want, r)
				require.Zero(t, r.l.held.Load())
			})
		}
	}
}

func TestShutdownLeavesWhatWaitsOnDisk(t *testing.T) {
	r := newRig(t, durable(t))
	r.send(client(1, 0x10, 0), client(1, 0x11, 0))
	r.close()
	require.Empty(t, r.emitted())
	r.open()
	require.EqualValues(t, 2, r.l.held.Load())
}

func TestForgottenRecordsLeaveTheStore(t *testing.T) {
	r := newRig(t, durable(t))
	r.send(client(1, 0x10, 0))
	r.pass(r.cfg.Window)
	require.Equal(t, 1, r.l.store.published.Len())
	require.Zero(t, stored(r))
	r.pass(r.cfg.retention() + r.cfg.Window)
	require.Zero(t, r.l.store.published.Len())
	r.reopen()
	r.pass(0)
	requireEmptyIndex(t, r.l)
}

func stored(r *rig) int { return r.l.store.waiting.(*slicestore.Store).Len() }

func TestCorruptRecordsAreSkippedAndCounted(t *testing.T) {
	r := newRig(t, durable(t))
	r.send(client(1, 0x10, 0))
	r.pass(r.cfg.Window)
	r.send(server(2, 0x20, 0x10))
	store := r.l.store
	require.NoError(t, store.waiting.Put(r.nextKey(), []byte("garbage")))
	require.NoError(t, store.waiting.Put(r.nextKey(), s2.Encode(nil, []byte("garbage"))))
	require.NoError(t, store.published.Put(r.nextKey(), []byte{publicationVersion, 1}))
	require.NoError(t, store.published.Put(r.nextKey(), []byte{99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}))
	r.reopen()
	require.EqualValues(t, 4, r.counter("corrupt_records"))
	r.pass(r.cfg.Window)
	require.Equal(t, derived(0x10), r.span(0x20).TraceID(), "the rest goes on")
	r.pass(r.cfg.retention() + r.cfg.Window)
	r.reopen()
	require.EqualValues(t, 4, r.counter("corrupt_records"), "they are gone")
}

// A part of the store that cannot be opened is moved away; the rest goes on, and what
// is missing is counted.
func TestDamagedSlicesAreQuarantined(t *testing.T) {
	r := newRig(t, func(c *Config) { durable(t)(c); c.Window = time.Minute })
	for id := uint64(1); id <= 30; id++ {
		r.send(server(id, id, id-1))
		r.clock.add(5 * time.Second)
		if id%10 == 0 { // slices are of half a minute
			require.GreaterOrEqual(t, len(slicesOf(t, r)), int(id/10))
		}
	}
	r.close()
	damaged := filepath.Join(r.cfg.DBPath, "waiting", slicesOf(t, r)[1])
	require.NoError(t, os.WriteFile(filepath.Join(damaged, "MANIFEST"), []byte("no manifest"), 0o600))
	r.open()
	require.EqualValues(t, 1, r.counter("store_quarantined"))
	lost := r.counter("corrupt_records")
	require.Positive(t, lost)
	require.DirExists(t, filepath.Join(r.cfg.DBPath, "quarantine", "waiting-"+filepath.Base(damaged)))
	r.pass(r.cfg.Window)
	require.Len(t, r.byID(), 30-int(lost))
	r.reopen()
	require.EqualValues(t, 1, r.counter("store_quarantined"), "once")
}

func slicesOf(t *testing.T, r *rig) (names []string) {
	entries, err := os.ReadDir(filepath.Join(r.cfg.DBPath, "waiting"))
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Without the note of what left, everything that is stored leaves again, under the
// same names.
func TestADamagedCursorRepeatsButLosesNothing(t *testing.T) {
	r := newRig(t, durable(t))
	r.send(client(1, 0x10, 0))
	r.pass(r.cfg.Window / 4)
	r.send(server(2, 0x20, 0x10))
	r.pass(r.cfg.Window * 3 / 4) // the first left
	r.close()
	require.NoError(t, os.WriteFile(filepath.Join(r.cfg.DBPath, "cursor"), []byte("xxxxxxxxxxxxxxxxxxxx"), 0o600))
	r.open()
	require.EqualValues(t, 1, r.counter("corrupt_records"))
	r.pass(r.cfg.Window)
	var ids []uint64
	for _, ps := range r.emitted() {
		id := ps.SpanID()
		ids = append(ids, binary.BigEndian.Uint64(id[:]))
		require.Equal(t, derived(0x10), ps.TraceID())
	}
	require.Equal(t, []uint64{0x10, 0x10, 0x20}, ids)
}

func TestMaxDiskRefusesAndGoesOn(t *testing.T) {
	r := newRig(t, func(c *Config) { durable(t)(c); c.MaxDiskMiB = minRoomMiB })
	accepted := 0
	var err error
	for n := uint64(1); err == nil && n < 1000; n++ {
		td := traces(server(n, n, 0))
		noise := make([]byte, 400<<10) // does not compress
		for i := range noise {
			noise[i] = byte(mix64(n<<32 + uint64(i)))
		}
		td.ResourceSpans().At(0).Resource().Attributes().PutEmptyBytes("noise").FromRaw(noise)
		if err = r.l.accept(td); err == nil {
			accepted++
		}
	}
	require.ErrorIs(t, err, errNoRoom)
	require.ErrorContains(t, err, "max_disk_mib is 32")
	require.InDelta(t, 75, accepted, 10)
	r.pass(r.cfg.Window)
	require.Len(t, r.byID(), accepted)
	r.send(server(5000, 5000, 0)) // the slices that left are gone
	r.pass(r.cfg.Window)
	require.Len(t, r.byID(), accepted+1)
}

// nextKey returns a key that is later than all others.
func (r *rig) nextKey() batchKey { return r.l.newBatch().key }

func TestOpenErrorsNameTheKeyAndTheCure(t *testing.T) {
	r := newRig(t, durable(t))
	tel, err := newTelemetry(componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	_, err = newLinker(r.cfg, zap.NewNop(), tel, consumertest.NewNop(), time.Now)
	require.ErrorContains(t, err, "db_path")
	require.ErrorContains(t, err, "used by no other collector")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	cfg := *r.cfg
	cfg.DBPath = filepath.Join(file, "db")
	_, err = newLinker(&cfg, zap.NewNop(), tel, consumertest.NewNop(), time.Now)
	require.ErrorContains(t, err, "db_path: cannot create")
}

const killedChildEnv = "SEQLINK_TEST_CHILD_DB"

// TestAcknowledgedSpansSurviveKill ends a process with SIGKILL while it accepts
// spans, and looks for each span that it acknowledged.
func TestAcknowledgedSpansSurviveKill(t *testing.T) {
	if dir := os.Getenv(killedChildEnv); dir != "" {
		acceptUntilKilled(t, dir)
		return
	}
	r := newRig(t, durable(t))
	r.close()
	acknowledged := killWhileAccepting(t, r.cfg.DBPath)
	r.open()
	r.pass(r.cfg.Window)
	r.clock.add(time.Hour * 24 * 365 * 100) // the child's clock is the real one
	r.pass(r.cfg.Window)
	spans := r.byID()
	for id := uint64(1); id <= acknowledged; id++ {
		require.Contains(t, spans, id)
	}
	require.GreaterOrEqual(t, acknowledged, uint64(200))
}

func acceptUntilKilled(t *testing.T, dir string) {
	tel, err := newTelemetry(componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	cfg.DBPath = dir
	l, err := newLinker(cfg, zap.NewNop(), tel, consumertest.NewNop(), time.Now)
	require.NoError(t, err)
	for id := uint64(1); ; id++ {
		require.NoError(t, l.accept(traces(server(id, id, id-1))))
		fmt.Println("acknowledged", id)
	}
}

func killWhileAccepting(t *testing.T, dir string) (acknowledged uint64) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestAcknowledgedSpansSurviveKill$")
	cmd.Env = append(os.Environ(), killedChildEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, ok := strings.CutPrefix(lines.Text(), "acknowledged ")
		if !ok {
			continue
		}
		acknowledged, err = strconv.ParseUint(n, 10, 64)
		require.NoError(t, err)
		if acknowledged == 200 {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait(), "it was killed")
	return acknowledged
}
