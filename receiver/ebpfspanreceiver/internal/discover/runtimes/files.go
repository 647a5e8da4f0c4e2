package runtimes

import (
	"bytes"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// open opens a regular file of the process's by the path that it has there. A link
// among the process's files must not lead to the collector's own, nor a pipe hold it up.
func (p process) open(name string) (*os.File, error) {
	root, err := os.OpenRoot(filepath.Join(p.folder, "root"))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := root.OpenFile(strings.TrimPrefix(name, "/"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(errors.New("not a regular file"), err, file.Close())
	}
	return file, nil
}

// library returns the path of a library that the process has mapped, by the beginning
// of its name; "" where there is none.
func (p process) library(name string) string {
	maps, err := os.ReadFile(filepath.Join(p.folder, "maps"))
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(maps) {
		// proc_pid_maps(5): address, permissions, offset, device, inode, path.
		const file = 5
		if fields := strings.Fields(string(line)); len(fields) > file && strings.HasPrefix(path.Base(fields[file]), name) {
			return fields[file]
		}
	}
	return ""
}
