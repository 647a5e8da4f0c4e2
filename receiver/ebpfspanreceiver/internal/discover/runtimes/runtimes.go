// Package runtimes names the language runtime that a process runs, and its version
// where that can be read cheaply: process.runtime.* of the semantic conventions.
// Programs built by Go are goexe's.
package runtimes

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover/goexe"
)

// Runtime is what runs a program.
type Runtime struct {
	// Name is process.runtime.name, empty where it is not known.
	Name string
	// Version is process.runtime.version, empty where it is not known.
	Version string
}

// kind is a runtime that is known by its executable's name.
type kind struct {
	runtime string
	// name matches the base name; its group is the version that it tells, as a rule
	// not a whole one.
	name *regexp.Regexp
	// version reads the version; nil where only the name tells it.
	version func(process) string
}

var kinds = []kind{
	{"cpython", regexp.MustCompile(`^python(\d(?:\.\d+)?)?$`), pythonVersion},
	{"nodejs", regexp.MustCompile(`^node(?:js)?()$`), nodeVersion},
	{"java", regexp.MustCompile(`^java()$`), javaVersion},
	{"ruby", regexp.MustCompile(`^ruby(\d\.\d+)?$`), nil},
	{"php", regexp.MustCompile(`^php(?:-fpm|-cgi)?(\d\.\d+)?$`), nil},
}

// process is one that runs a kind.
type process struct {
	// folder is its /proc/PID.
	folder string
	// path is its executable's, as its own mount namespace has it.
	path string
	exe  *os.File
}

// Cache remembers what executable files are.
type Cache struct {
	files *lru.Cache[goexe.Identity, Runtime]
}

// NewCache returns a cache for at most size files.
func NewCache(size int) (*Cache, error) {
	files, err := lru.New[goexe.Identity, Runtime](size)
	if err != nil {
		return nil, fmt.Errorf("cache of runtimes: %w", err)
	}
	return &Cache{files: files}, nil
}

// Of returns what runs the process with a folder (/proc/PID) and an executable's path.
// Files are opened only where the name of the executable is that of a runtime.
func (c *Cache) Of(folder, executable string) Runtime {
	for _, k := range kinds {
		match := k.name.FindStringSubmatch(path.Base(executable))
		if match == nil {
			continue
		}
		r := Runtime{Name: k.runtime, Version: match[1]}
		if k.version != nil {
			r.Version = c.version(k, folder, executable, match[1])
		}
		return r
	}
	return Runtime{}
}

func (c *Cache) version(k kind, folder, executable, fallback string) string {
	exe, err := os.Open(filepath.Join(folder, "exe"))
	if err != nil {
		return fallback
	}
	defer exe.Close()
	id, err := goexe.Identify(exe)
	if err != nil {
		return fallback
	}
	if known, ok := c.files.Get(id); ok {
		return known.Version
	}
	version := k.version(process{folder, executable, exe})
	if version == "" {
		version = fallback
	}
	c.files.Add(id, Runtime{k.runtime, version})
	return version
}
