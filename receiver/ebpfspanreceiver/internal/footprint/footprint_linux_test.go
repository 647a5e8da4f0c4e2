package footprint

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnchanged(t *testing.T) {
	const smaps = `00400000-04167000 r-xp 00000000 fe:00 5310181                            /usr/bin/otelcol-seqlink
Size:              62876 kB
Rss:               25996 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me sd
04167000-0813c000 r--p 03d67000 fe:00 5310181                            /usr/bin/otelcol-seqlink
Anonymous:             0 kB
0813c000-0823c000 r--p 07d3c000 fe:00 5310181                            /usr/bin/otelcol-seqlink
Anonymous:            12 kB
0823c000-085f4000 rw-p 07d3c000 fe:00 5310181                            /usr/bin/otelcol-seqlink
Anonymous:             0 kB
085f4000-0a65d000 rw-p 00000000 00:00 0 
Anonymous:            40 kB
7f21106d2000-7f2110ed3000 r--s 00001000 00:10 1038                       anon_inode:bpf-map
Anonymous:             0 kB
7f2110ed3000-7f2110ed4000 r--p 00000000 fe:00 77                         /usr/lib/locale/locale-archive
Anonymous:             0 kB
7fff63443000-7fff63444000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
`
	got, err := unchanged(strings.NewReader(smaps), "/usr/bin/otelcol-seqlink")
	require.NoError(t, err)
	assert.Equal(t, []area{{0x400000, 0x4167000}, {0x4167000, 0x813c000}}, got)

	_, err = unchanged(strings.NewReader("x-y r--p 00000000 fe:00 77 /a\n"), "/a")
	assert.ErrorContains(t, err, "/proc/self/smaps")
}

func TestRelease(t *testing.T) {
	before := resident(t, "RssFile")
	require.NoError(t, Release())
	assert.Less(t, resident(t, "RssFile"), before)
}

// resident returns how much of one kind of memory the process has, in KiB: RssFile are the
// pages of the files that it maps, RssAnon its own.
func resident(t *testing.T, kind string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), kind+":")
	require.True(t, found)
	size, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return size
}
