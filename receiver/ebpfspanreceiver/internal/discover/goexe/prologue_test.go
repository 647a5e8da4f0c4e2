package goexe

import (
	"debug/elf"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAfterStackCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		machine elf.Machine
		code    string
		want    uint64
	}{
		"small frame":          {elf.EM_X86_64, "493b6610 0f8661020000 55 4889e5", 10},
		"small frame, short":   {elf.EM_X86_64, "493b6610 7661 55 4889e5", 6},
		"frame":                {elf.EM_X86_64, "4c8d6424c8 4d3b6610 0f8661020000 55", 15},
		"large frame":          {elf.EM_X86_64, "4c8da42438feffff 4d3b6610 0f8661020000 55", 18},
		"no check":             {elf.EM_X86_64, "55 4889e5", 0},
		"no frame pointer":     {elf.EM_X86_64, "493b6610 7661 4883ec50", 0},
		"other comparison":     {elf.EM_X86_64, "493b6618 7661 55", 0},
		"nothing compared":     {elf.EM_X86_64, "4c8d6424c8 7661 55", 0},
		"ends in the jump":     {elf.EM_X86_64, "493b6610 0f8661", 0},
		"ends before the push": {elf.EM_X86_64, "493b6610 7661", 0},
		"empty":                {elf.EM_X86_64, "", 0},
		"another machine":      {elf.EM_AARCH64, "493b6610 7661 55", 0},
	} {
		var digits []byte
		for _, c := range []byte(tt.code) {
			if c != ' ' {
				digits = append(digits, c)
			}
		}
		code, err := hex.DecodeString(string(digits))
		require.NoError(t, err)
		assert.Equal(t, tt.want, afterStackCheck(tt.machine, code), name)
	}
}
