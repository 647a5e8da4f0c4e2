package goexe

import (
	"debug/elf"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTLSOffset(t *testing.T) {
	segment := func(size, align uint64) []*elf.Prog {
		return []*elf.Prog{{ProgHeader: elf.ProgHeader{Type: elf.PT_TLS, Memsz: size, Align: align}}}
	}
	tests := map[string]struct {
		progs   []*elf.Prog
		symbols symbolTable
		want    int64
		err     string
	}{
		"no thread-local storage":  {want: -8},
		"only the pointer":         {progs: segment(8, 8), want: -8},
		"first of several":         {progs: segment(0x30, 8), symbols: symbolTable{"runtime.tlsg": 0}, want: -0x30},
		"among others, rounded up": {progs: segment(0x54, 32), symbols: symbolTable{"runtime.tlsg": 0x10}, want: 0x10 - 0x60},
		"among others, stripped":   {progs: segment(0x30, 8), err: "no symbol table"},
		"symbol out of range":      {progs: segment(0x30, 8), symbols: symbolTable{"runtime.tlsg": 0x40}, err: "outside"},
		"absurd size":              {progs: segment(1<<63, 8), symbols: symbolTable{"runtime.tlsg": 8}, err: "outside"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tlsOffset(&elf.File{Progs: test.progs}, test.symbols)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestReadGoroutineOtherArchitecture(t *testing.T) {
	f := &elf.File{FileHeader: elf.FileHeader{Machine: elf.EM_AARCH64}}
	_, err := readGoroutine(f, layout{goid: 152}, nil)
	require.ErrorContains(t, err, "not supported")
}

func TestLayoutOfHugeFile(t *testing.T) {
	f := &elf.File{Sections: []*elf.Section{{SectionHeader: elf.SectionHeader{Name: ".debug_info", Size: slowDWARF + 1}}}}
	assert.Equal(t, layouts["go1.26"], layoutOf(f, "go1.26"), "from the table, unread")
}
