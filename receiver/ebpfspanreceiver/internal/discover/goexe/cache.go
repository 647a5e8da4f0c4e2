package goexe

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Cache remembers the facts about executable files, those that are no Go programs
// included, so that a file is read once however many processes run it.
type Cache struct {
	files *lru.Cache[Identity, result]
}

// Identity names one version of one file, whatever path and mount namespace it is
// reached through. Time is in nanoseconds since the Unix epoch, size in bytes.
type Identity struct {
	device, inode    uint64
	modified, length int64
}

type result struct {
	program *Program
	err     error
}

// NewCache returns a cache for at most size files.
func NewCache(size int) (*Cache, error) {
	files, err := lru.New[Identity, result](size)
	if err != nil {
		return nil, fmt.Errorf("cache of Go programs: %w", err)
	}
	return &Cache{files: files}, nil
}

// Load returns what Read says about the file at path, from the cache if it can.
// A file that cannot be opened is not remembered.
func (c *Cache) Load(path string) (*Program, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open executable: %w", err)
	}
	defer file.Close()
	id, err := Identify(file)
	if err != nil {
		return nil, err
	}
	if known, ok := c.files.Get(id); ok {
		return known.program, known.err
	}
	program, err := Read(file)
	c.files.Add(id, result{program: program, err: err})
	return program, err
}

// Identify returns the identity of an open file: the same for another name of it, another one after it was written.
func Identify(file *os.File) (Identity, error) {
	info, err := file.Stat()
	if err != nil {
		return Identity{}, fmt.Errorf("stat executable: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return Identity{}, errors.New("executable is not a regular file")
	}
	return Identity{
		device:   uint64(stat.Dev), //nolint:unconvert // an int32 on darwin
		inode:    stat.Ino,
		modified: info.ModTime().UnixNano(),
		length:   info.Size(),
	}, nil
}
