package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/slicestore"
)

// cursor is a small file with the key of the last batch that left, so that a start
// after a crash knows which of the stored batches wait. The zero value writes nothing.
//
// Stored form: the key (16 bytes), CRC-32 (4 bytes, Castagnoli, big-endian).
type cursor struct{ file *os.File }

const cursorLen = 16 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errBadCursor = errors.New("the file is damaged")

// openCursor opens the file in dir and returns the key in it, the zero key when it is
// new. After errBadCursor the cursor can be used.
func openCursor(dir string) (cursor, batchKey, error) {
	f, err := os.OpenFile(filepath.Join(dir, "cursor"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return cursor{}, batchKey{}, err
	}
	key, err := readCursor(f)
	return cursor{file: f}, key, err
}

func readCursor(f *os.File) (batchKey, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return batchKey{}, err
	}
	var stored [cursorLen]byte
	if _, err := f.ReadAt(stored[:], 0); err != nil {
		return batchKey{}, fmt.Errorf("%w: %w", errBadCursor, err)
	}
	if crc32.Checksum(stored[:16], castagnoli) != binary.BigEndian.Uint32(stored[16:]) {
		return batchKey{}, errBadCursor
	}
	return slicestore.ParseKey(stored[:16])
}

// set writes the key down. It survives the end of the process.
func (c *cursor) set(key batchKey) error {
	if c.file == nil {
		return nil
	}
	b := key.Append(make([]byte, 0, cursorLen))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err := c.file.WriteAt(b, 0)
	return err
}

func (c *cursor) close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}
