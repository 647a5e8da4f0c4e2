package goexe

import (
	"bytes"
	"debug/elf"
)

// Go's functions begin with a look whether the stack is large enough, one of these on amd64
// (stacksplit in cmd/internal/obj/x86/obj6.go), which leaves the arguments where they are:
//
//	CMPQ SP, 16(R14)	JLS …
//	LEAQ -x(SP), R12	CMPQ R12, 16(R14)	JLS …
var (
	compareSP  = []byte{0x49, 0x3b, 0x66, 0x10}
	nearFrame  = []byte{0x4c, 0x8d, 0x64, 0x24} // and an int8
	farFrame   = []byte{0x4c, 0x8d, 0xa4, 0x24} // and an int32
	compareR12 = []byte{0x4d, 0x3b, 0x66, 0x10}
	jumpShort  = []byte{0x76}       // and an int8
	jumpNear   = []byte{0x0f, 0x86} // and an int32
)

const pushBP = byte(0x55)

// longestPrologue is that with the far frame and the near jump.
const longestPrologue = 8 + 4 + 6

// afterStackCheck returns how many bytes a function's code begins with before it pushes
// BP; 0 where it does not begin as described. A uprobe costs less there: the kernel
// emulates a push (arch/x86/kernel/uprobes.c), and lets the thread take a single step over
// most other instructions, which is a second trap. And a function that lets its stack grow
// begins again.
func afterStackCheck(machine elf.Machine, code []byte) uint64 {
	if machine != elf.EM_X86_64 {
		return 0
	}
	rest := code
	skip := func(instruction []byte, operand int) bool {
		if !bytes.HasPrefix(rest, instruction) || len(rest) < len(instruction)+operand {
			return false
		}
		rest = rest[len(instruction)+operand:]
		return true
	}
	compared := skip(compareSP, 0) || ((skip(nearFrame, 1) || skip(farFrame, 4)) && skip(compareR12, 0))
	if compared && (skip(jumpShort, 1) || skip(jumpNear, 4)) && len(rest) > 0 && rest[0] == pushBP {
		return uint64(len(code) - len(rest))
	}
	return 0
}
