/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a function of Go has its integer arguments and its runtime.g (ABIInternal), as a uprobe sees them. */
#pragma once

#include "kernel.h"

/* struct pt_regs as far as the arguments. */
#if defined(__TARGET_ARCH_x86)
struct registers {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
};
#define GO_ARGUMENT(r) ((r)->ax)
#define GO_ARGUMENT_2(r) ((r)->bx)
#define GO_ARGUMENT_3(r) ((r)->cx)
#define GO_ARGUMENT_4(r) ((r)->di)
#define GO_G(r) ((r)->r14)
#else
struct registers {
	__u64 x[31];
};
#define GO_ARGUMENT(r) ((r)->x[0])
#define GO_ARGUMENT_2(r) ((r)->x[1])
#define GO_ARGUMENT_3(r) ((r)->x[2])
#define GO_ARGUMENT_4(r) ((r)->x[3])
#define GO_G(r) ((r)->x[28])
#endif
