//go:build !unix

package slicestore

import (
	"errors"
	"os"
)

// ErrLocked says that another process, or another part of this one, uses the directory.
var ErrLocked = errors.New("in use by another collector or pipeline")

// Lock opens the file LOCK; the directory is not locked here.
func Lock(dir string) (*os.File, error) {
	return os.OpenFile(dir+"/LOCK", os.O_CREATE|os.O_RDWR, 0o600)
}
