package runtimes

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newCache(t *testing.T) *Cache {
	c, err := NewCache(8)
	require.NoError(t, err)
	return c
}

func TestByName(t *testing.T) {
	c := newCache(t)
	for executable, want := range map[string]Runtime{
		"/usr/bin/python3.11":    {"cpython", "3.11"},
		"/usr/bin/python":        {"cpython", ""},
		"/usr/bin/python3":       {"cpython", "3"},
		"/usr/bin/node":          {"nodejs", ""},
		"/usr/bin/ruby3.1":       {"ruby", "3.1"},
		"/usr/sbin/php-fpm8.2":   {"php", "8.2"},
		"/usr/bin/java":          {"java", ""},
		"/usr/bin/python3-thing": {},
		"/usr/sbin/nginx":        {},
		"/usr/bin/javac":         {},
		"":                       {},
	} {
		assert.Equal(t, want, c.Of(t.TempDir(), executable), executable)
	}
}

// The versions are those that real programs tell of themselves.
func TestReal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no /proc here")
	}
	python := []string{"import sys; print('%d.%d.%d' % sys.version_info[:3], flush=True); sys.stdin.read()"}
	tests := map[string]struct {
		command []string
		name    string
	}{
		"python":           {append([]string{"python3", "-c"}, python...), "cpython"},
		"python of Debian": {append([]string{"/usr/bin/python3", "-c"}, python...), "cpython"},
		"node":             {[]string{"node", "-e", "console.log(process.versions.node); process.stdin.resume()"}, "nodejs"},
		"java":             {[]string{"java", "-cp", classes(t), "Version"}, "java"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(test.command[0])
			if err != nil {
				t.Skipf("%s is not installed", test.command[0])
			}
			command := exec.Command(path, test.command[1:]...)
			in, err := command.StdinPipe()
			require.NoError(t, err)
			out, err := command.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, command.Start())
			defer func() {
				_ = in.Close()
				_ = command.Wait()
			}()
			version, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			folder := fmt.Sprintf("/proc/%d", command.Process.Pid)
			executable, err := os.Readlink(filepath.Join(folder, "exe"))
			require.NoError(t, err)
			c := newCache(t)
			want := Runtime{test.name, strings.TrimSpace(version)}
			assert.Equal(t, want, c.Of(folder, executable))
			assert.Equal(t, want, c.Of(folder, executable), "from the cache")
		})
	}
}

// classes compiles a Java program that prints its runtime's version.
func classes(t *testing.T) string {
	javac, err := exec.LookPath("javac")
	if err != nil {
		return ""
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "Version.java")
	require.NoError(t, os.WriteFile(source, []byte(`class Version { public static void main(String[] a) throws Exception {
		System.out.println(System.getProperty("java.runtime.version")); System.in.read(); } }`), 0o600))
	out, err := exec.Command(javac, "-d", dir, source).CombinedOutput()
	require.NoError(t, err, string(out))
	return dir
}

func TestReleaseVersion(t *testing.T) {
	for text, want := range map[string]string{
		"IMPLEMENTOR=\"Debian\"\nJAVA_RUNTIME_VERSION=\"17.0.15+6-Debian\"\nJAVA_VERSION=\"17.0.15\"\n": "17.0.15+6-Debian",
		"JAVA_VERSION=\"1.8.0_422\"\nOS_NAME=\"Linux\"\n":                                               "1.8.0_422",
		"JAVA_VERSION=11": "11",
		"nonsense":        "",
		"":                "",
	} {
		assert.Equal(t, want, releaseVersion(strings.NewReader(text)), text)
	}
}

// The files of a process may be made to lead anywhere.
func TestHostileFiles(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "release")
	require.NoError(t, os.WriteFile(secret, []byte("JAVA_VERSION=secret\n"), 0o600))
	for name, make := range map[string]func(path string) error{
		"link out of the root": func(path string) error { return os.Symlink(secret, path) },
		"folder":               func(path string) error { return os.Mkdir(path, 0o700) },
		"nothing":              func(string) error { return nil },
	} {
		folder := t.TempDir()
		home := filepath.Join(folder, "root", "opt", "java")
		require.NoError(t, os.MkdirAll(home, 0o700))
		require.NoError(t, make(filepath.Join(home, "release")))
		p := process{folder: folder, path: "/opt/java/bin/java"}
		assert.Empty(t, javaVersion(p), name)
		p.path = "/../../x/bin/java"
		assert.Empty(t, javaVersion(p), name)
	}
}

func TestNoELF(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh"), 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	assert.Empty(t, search(file, releaseURL))
	assert.Empty(t, symbolVersion(file))
}
