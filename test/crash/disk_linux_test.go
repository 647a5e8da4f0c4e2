package crash

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// smallDisk mounts a file system in memory of some MiB.
func smallDisk(t *testing.T, mib string) string {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+mib+"m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// On a full disk senders are asked to try again, nothing that was acknowledged is
// lost, and it goes on when there is room.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, "160")
	sink := newBackend(t)
	c := newCollector(t, filepath.Join(disk, "db"), sink.endpoint, 4*time.Second)
	c.start()
	client := connect(t, c.endpoint)
	filler := filepath.Join(disk, "filler")
	const perRequest = 20
	var n, acknowledged uint64
	send := func() error { // of noise of 20 × 10 KiB
		n += perRequest
		err := export(client, segments(0, n, perRequest, 10<<10))
		if err == nil {
			acknowledged++
		}
		return err
	}
	for range 20 {
		require.NoError(t, send())
	}
	require.NoError(t, os.WriteFile(filler, random(1, 60<<20), 0o600))
	var refused error
	for deadline := time.Now().Add(30 * time.Second); refused == nil && time.Now().Before(deadline); {
		refused = send()
	}
	require.Error(t, refused, "the disk has 160 MiB")
	require.Contains(t, []codes.Code{codes.Unavailable, codes.ResourceExhausted}, status.Code(refused), "%v: to be tried again", refused)
	require.True(t, c.running())
	for range 20 {
		_ = send()
	}
	require.NoError(t, os.Remove(filler))
	require.Eventually(t, func() bool { return send() == nil }, 30*time.Second, 50*time.Millisecond, "there is room again")
	c.kill()
	c.start()
	require.Eventually(t, func() bool { return sink.distinct() >= int(acknowledged)*perRequest*2 }, 30*time.Second, 50*time.Millisecond)
	require.Empty(t, renamed(sink))
	c.stop()
}

// A disk that is full of waiting spans becomes free by their leaving.
func TestDiskFullOfItsOwnSpans(t *testing.T) {
	disk := smallDisk(t, "128")
	sink := newBackend(t)
	c := newCollector(t, filepath.Join(disk, "db"), sink.endpoint, 4*time.Second)
	c.start()
	client := connect(t, c.endpoint)
	const perRequest = 20
	var n, acknowledged uint64
	send := func() error {
		n += perRequest
		err := export(client, segments(0, n, perRequest, 50<<10))
		if err == nil {
			acknowledged++
		}
		return err
	}
	refusals := 0
	for deadline := time.Now().Add(30 * time.Second); refusals < 50 && time.Now().Before(deadline); {
		if send() != nil {
			refusals++
			time.Sleep(20 * time.Millisecond)
		}
	}
	require.Equal(t, 50, refusals, "the disk has 128 MiB")
	require.Eventually(t, func() bool { return send() == nil }, 30*time.Second, 50*time.Millisecond)
	require.Eventually(t, func() bool { return sink.distinct() >= int(acknowledged)*perRequest*2 }, 30*time.Second, 50*time.Millisecond)
	require.True(t, c.running())
	c.stop()
}

// Whatever file of the store is damaged, the collector starts, says so and goes on.
func TestDamagedStore(t *testing.T) {
	sink := newBackend(t)
	db := t.TempDir()
	c := newCollector(t, db, sink.endpoint, 20*time.Second)
	c.start()
	client := connect(t, c.endpoint)
	for n := range uint64(50) {
		require.NoError(t, export(client, segments(0, 1+n*10, 10, 100)))
	}
	c.kill()
	damaged := 0
	require.NoError(t, filepath.WalkDir(db, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		damaged++
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := len(content) / 3; i < len(content) && i < len(content)/3+(64<<10); i++ {
			content[i] ^= 0x5a
		}
		return os.WriteFile(path, content[:len(content)*9/10], 0o600)
	}))
	require.Greater(t, damaged, 4)
	c.start()
	require.NoError(t, export(client, segments(0, 10_001, 10, 0)))
	require.Positive(t, c.counter("store_quarantined")+c.counter("corrupt_records"), "%s", c.output())
	c.stop()
}

func TestOneStoreHasOneCollector(t *testing.T) {
	sink := newBackend(t)
	db := t.TempDir()
	first := newCollector(t, db, sink.endpoint, time.Second)
	first.start()
	said := newCollector(t, db, sink.endpoint, time.Second).refuses()
	require.Contains(t, said, "db_path")
	require.Contains(t, said, "another collector")
	first.stop()
}

func TestDBPathThatCannotBeUsed(t *testing.T) {
	sink := newBackend(t)
	for path, want := range map[string]string{
		"/proc/seqlink": "use a directory that the collector may write",
		"/dev/null/db":  "not a directory",
	} {
		said := newCollector(t, path, sink.endpoint, time.Second).refuses()
		require.True(t, strings.Contains(said, "db_path") && strings.Contains(said, want), "%s", said)
	}
}
