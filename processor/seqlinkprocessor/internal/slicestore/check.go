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
// by a panic.
func checkTables(dir string) error {
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		return err
	}
	if err := checkManifest(dir, tables); err != nil {
		return err
	}
	for _, path := range tables {
		if err := checkTable(path); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
	return nil
}

// checkManifest looks for tables that the manifest does not know: Badger would take
// them for left-overs and delete them. They are left-overs only where a write-ahead log
// still has their records.
func checkManifest(dir string, tables []string) error {
	if logs, err := filepath.Glob(filepath.Join(dir, "*.mem")); err != nil || len(logs) > 0 {
		return err
	}
	file, err := os.Open(filepath.Join(dir, "MANIFEST"))
	if err != nil {
		return err
	}
	defer file.Close()
	manifest, _, err := badger.ReplayManifestFile(file, 0, badgerOptions(dir, false, zap.NewNop()))
	if err != nil {
		return err
	}
	for _, path := range tables {
		id, ok := table.ParseFileID(filepath.Base(path))
		if _, known := manifest.Tables[id]; !ok || !known {
			return fmt.Errorf("the manifest does not know %s", filepath.Base(path))
		}
	}
	return nil
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
