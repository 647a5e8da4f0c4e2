package goexe

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("builds programs for the machine it runs on, and reads ELF only")
	}
	external := "-ldflags=-linkmode=external"
	tests := map[string]build{
		"normal":                {},
		"stripped by Go":        {flags: []string{"-ldflags=-s -w"}},
		"stripped":              {strip: true},
		"position-independent":  {flags: []string{"-buildmode=pie"}},
		"pie, stripped":         {flags: []string{"-buildmode=pie"}, strip: true},
		"cgo":                   {cgo: true, flags: []string{external}},
		"cgo, stripped":         {cgo: true, flags: []string{external}, strip: true},
		"cgo and pie":           {cgo: true, flags: []string{external, "-buildmode=pie"}},
		"cgo and pie, stripped": {cgo: true, flags: []string{external, "-buildmode=pie"}, strip: true},
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			b.source = "client"
			path, whole := b.program(t)
			if name == "stripped by Go" {
				_, whole = build{source: "client"}.program(t)
			}
			program := readFile(t, path)
			assert.Equal(t, runtime.Version(), program.Version)
			checkRoundTrip(t, program.RoundTrip, whole)
			checkReady(t, program.Ready, whole)
			checkGoroutine(t, program.Goroutine, whole)
		})
	}
}

func readFile(t *testing.T, path string) *Program {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	program, err := Read(file)
	require.NoError(t, err)
	return program
}

func checkRoundTrip(t *testing.T, found *RoundTrip, whole string) {
	t.Helper()
	require.NotNil(t, found)
	assert.Equal(t, symbolAddress(t, whole, roundTripFunction), strconv.FormatUint(found.Address, 16))
	f, err := elf.Open(whole)
	require.NoError(t, err)
	defer f.Close()
	checkProbe(t, f, found.Address, found.FileOffset)
	assert.EqualValues(t, memberOffset(t, f, "net/http.persistConn", "conn"), found.Conn)
}

func checkReady(t *testing.T, found *Ready, whole string) {
	t.Helper()
	require.NotNil(t, found)
	assert.Equal(t, symbolAddress(t, whole, readyFunction), strconv.FormatUint(found.Address, 16))
	f, err := elf.Open(whole)
	require.NoError(t, err)
	defer f.Close()
	checkProbe(t, f, found.Address, found.FileOffset)
	assert.EqualValues(t, memberOffset(t, f, "runtime.g", "m"), found.M)
	assert.EqualValues(t, memberOffset(t, f, "runtime.m", "curg"), found.Curg)
}

// checkProbe compares where a function begins with where it is probed.
func checkProbe(t *testing.T, f *elf.File, address, offset uint64) {
	t.Helper()
	text := f.Section(".text")
	begin := text.Offset + address - text.Addr
	if f.Machine != elf.EM_X86_64 {
		assert.Equal(t, begin, offset)
		return
	}
	assert.Greater(t, offset, begin)
	assert.LessOrEqual(t, offset, begin+longestPrologue)
	var at [1]byte
	_, err := text.ReadAt(at[:], int64(offset-text.Offset))
	require.NoError(t, err)
	assert.Equal(t, pushBP, at[0])
}

func checkGoroutine(t *testing.T, found *Goroutine, whole string) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		assert.Nil(t, found)
		return
	}
	require.NotNil(t, found)
	f, err := elf.Open(whole)
	require.NoError(t, err)
	defer f.Close()
	assert.EqualValues(t, -8, found.TLSOffset)
	assert.EqualValues(t, memberOffset(t, f, "runtime.g", "goid"), found.Goid)
	assert.EqualValues(t, memberOffset(t, f, "runtime.g", "parentGoid"), found.ParentGoid)
}

// memberOffset reads a member's offset with the library's own type reader.
func memberOffset(t *testing.T, f *elf.File, structure, member string) int64 {
	t.Helper()
	d, err := f.DWARF()
	require.NoError(t, err)
	for r := d.Reader(); ; {
		entry, err := r.Next()
		require.NoError(t, err)
		require.NotNil(t, entry, "no type %s", structure)
		if entry.Tag != dwarf.TagStructType || entry.Val(dwarf.AttrName) != structure {
			continue
		}
		typ, err := d.Type(entry.Offset)
		require.NoError(t, err)
		for _, field := range typ.(*dwarf.StructType).Field {
			if field.Name == member {
				return field.ByteOffset
			}
		}
		t.Fatalf("%s has no member %s", structure, member)
	}
}

func TestReadWithoutClient(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads ELF only")
	}
	for name, b := range map[string]build{"normal": {}, "stripped": {flags: []string{"-ldflags=-s -w"}}} {
		t.Run(name, func(t *testing.T) {
			b.source = "plain"
			path, _ := b.program(t)
			program := readFile(t, path)
			assert.Nil(t, program.RoundTrip)
			assert.NotNil(t, program.Ready)
		})
	}
}

func TestReadUnknownVersion(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads ELF only")
	}
	path, _ := build{source: "client", flags: []string{"-ldflags=-s -w"}}.program(t)
	f, err := elf.Open(path)
	require.NoError(t, err)
	defer f.Close()
	program := &Program{Version: "go9.9.1"}
	require.ErrorContains(t, program.read(f), "layout of runtime.g not known")
	assert.Nil(t, program.Goroutine)
	assert.Nil(t, program.RoundTrip)
	assert.Nil(t, program.Ready)
}

func TestReadOtherFiles(t *testing.T) {
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("no /proc here")
	}
	tests := map[string][]byte{
		"empty":         nil,
		"script":        []byte("#!/bin/sh\nexec true\n"),
		"truncated ELF": own[:64],
		"half a file":   own[:len(own)/2],
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			program, err := Read(bytes.NewReader(content))
			require.ErrorIs(t, err, ErrNotGo)
			assert.Nil(t, program)
		})
	}
}

func TestLanguage(t *testing.T) {
	tests := map[string]string{
		"go1.26.8":                        "go1.26",
		"go1.21":                          "go1.21",
		"go1.26rc1":                       "go1.26",
		"go1.22.12 X:boringcrypto":        "go1.22",
		"go1.22.9 (Red Hat 1.22.9-2.el9)": "go1.22",
		"go1.24.1-custom":                 "go1.24",
		"devel go1.27-abcdef":             "",
		"":                                "",
	}
	for toolchain, want := range tests {
		assert.Equal(t, want, language(toolchain), toolchain)
	}
}

func FuzzRead(f *testing.F) {
	if own, err := os.ReadFile("/proc/self/exe"); err == nil {
		f.Add(own[:4096])
	}
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Fuzz(func(t *testing.T, content []byte) {
		program, err := Read(bytes.NewReader(content))
		if program == nil && err == nil {
			t.Error("neither a program nor an error")
		}
	})
}
