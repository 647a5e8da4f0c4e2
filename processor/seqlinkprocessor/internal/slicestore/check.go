package slicestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
	"go.uber.org/zap"
)

// checkTables reads the tables of a Badger database and compares their checksums.
// Badger opens tables in goroutines of its own, where a damaged one ends the process
// by a panic. Tables that the manifest does not know are not opened but deleted, as
// left-overs of a write that a crash cut short. They are that only where a write-ahead
// log still has their records.
func checkTables(dir string) error {
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		return err
	}
	known, err := tablesInManifest(dir)
	if err != nil {
		return err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return err
	}
	for _, path := range tables {
		name := filepath.Base(path)
		if id, ok := table.ParseFileID(name); !ok || !known(id) {
			if len(logs) == 0 {
				return fmt.Errorf("the manifest does not know %s", name)
			}
			continue
		}
		if err := checkTable(path); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// tablesInManifest returns what tells whether a table is in a database's manifest.
func tablesInManifest(dir string) (known func(id uint64) bool, err error) {
	file, err := os.Open(filepath.Join(dir, "MANIFEST"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	manifest, _, err := badger.ReplayManifestFile(file, 0, badgerOptions(dir, false, zap.NewNop()))
	if err != nil {
		return nil, err
	}
	return func(id uint64) bool { _, ok := manifest.Tables[id]; return ok }, nil
}

func checkTable(path string) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() == 0 || !info.Mode().IsRegular() {
		return errors.New("not a table")
	}
	file, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer recoverAs(&err)
	opened, err := table.OpenTable(file, table.Options{ChkMode: options.NoVerification})
	if err != nil {
		return err // it may have closed the file
	}
	if err := opened.VerifyChecksum(); err != nil {
		return err
	}
	return file.Close(-1)
}

// dropDiscards deletes the file in which Badger counts what its value log's garbage
// collection could gain. Nothing is collected here, and Badger ends the process when
// that file is damaged.
func dropDiscards(dir string) error { return os.RemoveAll(filepath.Join(dir, "DISCARD")) }

// dropEmptyLogs deletes write-ahead logs without a byte, which a crash leaves between
// making a log and giving it its size. Badger would not open the database.
func dropEmptyLogs(dir string) error {
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return err
	}
	for _, path := range logs {
		info, err := os.Stat(path)
		if err == nil && info.Size() == 0 {
			err = os.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
